package e2e

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// addNodes adds two nodes and waits until kwok has made them ready.
func (c *Cluster) addNodes(ctx context.Context) error {
	for _, name := range []string{"node-1", "node-2"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
		}}
		if _, err := c.Kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create %s: %w", name, err)
		}
		// Admission taints a new node as not ready, and the controller that would remove the taint is off.
		_, err := c.Kube.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"taints":null}}`), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("remove the taints of %s: %w", name, err)
		}
		err = await(ctx, name+" to be ready", func(ctx context.Context) error {
			node, err := c.Kube.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			return unless(nodeReady(node) && len(node.Spec.Taints) == 0, "conditions %v, taints %v", node.Status.Conditions, node.Spec.Taints)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func nodeReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// awaitControllers waits for the first thing that the controller manager does in every namespace.
func (c *Cluster) awaitControllers(ctx context.Context) error {
	return await(ctx, "kube-controller-manager to make the default service account", func(ctx context.Context) error {
		_, err := c.Kube.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}
