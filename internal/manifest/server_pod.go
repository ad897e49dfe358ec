package manifest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// serverUser is who the server runs as: nobody in particular, and not root.
const serverUser = 65532

// pod is the server's, as the Pod Security Standard "restricted" asks for it.
func (s *Server) pod() corev1.PodTemplateSpec {
	spec := corev1.PodSpec{
		ServiceAccountName: ServerName, AutomountServiceAccountToken: ref(true), TerminationGracePeriodSeconds: ref(int64(30)),
		EnableServiceLinks: ref(false), // the Service's own variables would begin like those that flags are taken from
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ref(true), RunAsUser: ref(int64(serverUser)), RunAsGroup: ref(int64(serverUser)), FSGroup: ref(int64(serverUser)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{s.container()},
		Volumes: []corev1.Volume{{Name: "secrets", VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: ServerName, DefaultMode: ref(int32(0o440))},
		}}},
		// Two replicas on one node would fall with it; on a cluster of one node they still both run.
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: "kubernetes.io/hostname", WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: serverLabels()},
		}},
	}
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: serverLabels()}, Spec: spec}
}

func (s *Server) container() corev1.Container {
	probe := func(path string, every int32) *corev1.Probe {
		return &corev1.Probe{
			PeriodSeconds: every, TimeoutSeconds: 3,
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http")}},
		}
	}
	return corev1.Container{
		Name: "penstock", Image: s.Image, Args: []string{"serve", "--address", ":8080"}, Env: s.environment(),
		Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: serverPort}},
		LivenessProbe:  probe("/healthz", 20),
		ReadinessProbe: probe("/readyz", 5),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ref(false), ReadOnlyRootFilesystem: ref(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "secrets", MountPath: secretsDir, ReadOnly: true}},
	}
}
