package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	// ServerName names everything of a server, and the Secret that the admin makes for it.
	ServerName = "penstock-server"

	serverPort = 8080
	secretsDir = "/etc/penstock" // where the Secret is mounted

	// DeliveriesName names the ConfigMap of the webhook deliveries that came, and of the changes that wait for a look.
	DeliveriesName = "penstock-webhook-deliveries"
)

// Server says what a server is made of.
type Server struct {
	Namespace    string
	Image        string
	Replicas     int32
	Served       []string // namespaces whose canaries it is for; none: its own
	Repositories []string // whose webhooks count, such as github:7
	Host         string   // by which the forge reaches it; empty: no Ingress
	IngressClass string   // empty: the cluster's default
	TLSSecret    string   // of the Ingress; empty: none
	AppKey       bool     // the Secret holds the private key of a GitHub App
	Settings     []Setting
	LoadTester   bool    // it makes load on the canaries, and so has to reach them
	EgressPorts  []int32 // to which it may connect besides, such as that of a forge of one's own
}

// Setting is a flag of penstock serve that the server is given. A flag that may be repeated has several values.
type Setting struct {
	Name   string
	Values []string
}

// ServerVariable is the variable of the environment that a flag of penstock serve is taken from.
func ServerVariable(flag string) string {
	return "PENSTOCK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// RenderServer returns everything of a server but its Secret. It runs where the Pod Security Standard "restricted" is
// enforced.
func RenderServer(s Server) ([]Object, error) {
	if len(s.Served) == 0 {
		s.Served = []string{s.Namespace}
	}
	objects := []Object{{
		Comment: "The server of Penstock. Its secrets are in the Secret " + ServerName + ", which you make: see docs/install-server.md.",
		Body: &corev1.ServiceAccount{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: s.meta(),
			AutomountServiceAccountToken: new(bool),
		},
	}}
	objects = append(objects, s.roles()...)
	objects = append(objects, s.deployment(), s.service(), s.disruption(), s.network())
	if s.Host != "" {
		objects = append(objects, s.ingress())
	}
	for i := range objects {
		if objects[i].Rules != nil {
			continue // roles have nothing to take away
		}
		var err error
		if objects[i].Body, err = bare(objects[i].Body); err != nil {
			return nil, fmt.Errorf("render the server: %w", err)
		}
	}
	return objects, nil
}

// bare is an object without what only a cluster fills in.
func bare(body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	object := map[string]any{}
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	delete(object, "status")
	return object, nil
}

func serverLabels() map[string]string { return map[string]string{"app.kubernetes.io/name": ServerName} }

func (s *Server) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: ServerName, Namespace: s.Namespace, Labels: serverLabels()}
}

// roles grant what the server does in each namespace that it serves. Canaries come and go, so their ConfigMaps cannot be
// granted by name.
func (s *Server) roles() []Object {
	var all []Object
	for _, namespace := range s.Served {
		all = append(all, s.role(ServerName, namespace, WatchdogNeeds(namespace)))
		all = append(all, s.binding(ServerName, namespace))
	}
	const own = ServerName + "-deliveries"
	return append(all, s.role(own, s.Namespace, DeliveryNeeds(s.Namespace)), s.binding(own, s.Namespace))
}

// ServedNeeds lists what a server takes in a namespace whose canaries it serves.
func ServedNeeds(namespace string) []Need {
	var all needs
	all.add("gates, decisions and what the runs wait for", unnamed(configMapGVR, namespace), "get", "list", "watch", "create", "update")
	return all
}

// DeliveryNeeds lists what a server takes in its own namespace, where all of its replicas share the webhooks that came.
func DeliveryNeeds(namespace string) []Need {
	var all needs
	kept := unnamed(configMapGVR, namespace)
	all.add("the first webhook; a create cannot be bound to a name", kept, "create")
	kept.Name = DeliveriesName
	all.add("webhooks that came and are not dealt with yet", kept, "get", "update")
	return all
}

func (s *Server) role(name, namespace string, needs []Need) Object {
	rules := Rules(needs)
	body := &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: serverLabels()},
	}
	for _, r := range rules {
		body.Rules = append(body.Rules, r.PolicyRule)
	}
	return Object{Body: body, Rules: rules}
}

func (s *Server) binding(name, namespace string) Object {
	return Object{Body: &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: serverLabels()},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: ServerName, Namespace: s.Namespace}},
	}}
}

func (s *Server) service() Object {
	return Object{Body: &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: s.meta(),
		Spec: corev1.ServiceSpec{
			Selector: serverLabels(),
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}}
}

func (s *Server) disruption() Object {
	one := intstr.FromInt32(1)
	return Object{
		Comment: "A node that is emptied leaves one replica at work, so that no comment waits for a restart.",
		Body: &policyv1.PodDisruptionBudget{
			TypeMeta: metav1.TypeMeta{APIVersion: policyv1.SchemeGroupVersion.String(), Kind: "PodDisruptionBudget"}, ObjectMeta: s.meta(),
			Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: serverLabels()}},
		},
	}
}

func (s *Server) ingress() Object {
	path := networkingv1.PathTypePrefix
	spec := networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: s.Host, IngressRuleValue: networkingv1.IngressRuleValue{
		HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/webhooks/", PathType: &path, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: ServerName, Port: networkingv1.ServiceBackendPort{Name: "http"},
			}},
		}}},
	}}}}
	if s.IngressClass != "" {
		spec.IngressClassName = &s.IngressClass
	}
	if s.TLSSecret != "" {
		spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{s.Host}, SecretName: s.TLSSecret}}
	}
	return Object{
		Comment: "Only the webhooks are open to the world. The gates and /metrics are for the cluster.",
		Body: &networkingv1.Ingress{
			TypeMeta: metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "Ingress"}, ObjectMeta: s.meta(), Spec: spec,
		},
	}
}

func (s *Server) deployment() Object {
	return Object{
		Comment: "Two replicas share all that they know through the cluster. Either can be lost at any time.",
		Body: &appsv1.Deployment{
			TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"}, ObjectMeta: s.meta(),
			Spec: appsv1.DeploymentSpec{
				Replicas: &s.Replicas, Selector: &metav1.LabelSelector{MatchLabels: serverLabels()}, Template: s.pod(),
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ref(intstr.FromInt32(0)), MaxSurge: ref(intstr.FromInt32(1)),
				}},
			},
		},
	}
}

func ref[T any](v T) *T { return &v }

// environment is the configuration. A key that the Secret lacks is not set, and a flag that is not set is not used.
func (s *Server) environment() []corev1.EnvVar {
	env := []corev1.EnvVar{{Name: "PENSTOCK_SERVE_NAMESPACE", Value: strings.Join(s.Served, "\n")}}
	if len(s.Repositories) > 0 {
		env = append(env, corev1.EnvVar{Name: "PENSTOCK_REPOSITORY", Value: strings.Join(s.Repositories, "\n")})
	}
	if s.AppKey {
		env = append(env, corev1.EnvVar{Name: "PENSTOCK_GITHUB_APP_KEY_FILE", Value: secretsDir + "/github-app-key"})
	}
	for _, set := range s.Settings {
		env = append(env, corev1.EnvVar{Name: ServerVariable(set.Name), Value: strings.Join(set.Values, "\n")})
	}
	for _, key := range ServerSecretKeys() {
		env = append(env, corev1.EnvVar{
			Name: ServerVariable(key),
			ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: ServerName}, Key: key, Optional: ref(true),
			}},
		})
	}
	return env
}

// ServerSecretKeys lists the keys of the Secret that flags of the same names are taken from. Each may be absent. Beside
// them, github-app-key is used as a file.
func ServerSecretKeys() []string {
	return slices.Clone([]string{
		"github-secret", "gitlab-secret", "gitlab-signing-secret", "github-app-id", "github-token", "gitlab-token", "gitlab-trigger-token", "gate-token", "page-token",
	})
}
