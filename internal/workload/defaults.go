package workload

import "strings"

// fieldDefault says that a field with this value is the same as no field.
type fieldDefault struct {
	path  string // below the pod spec; "*" is every entry of a list
	value any    // nil: an object without fields
}

// podSpecDefaults is what the API server fills into a pod template (Kubernetes 1.37, pkg/apis/core/v1/defaults.go and the
// +default markers of k8s.io/api/core/v1). Defaults that it applies to Pods only are not here: they are a change.
var podSpecDefaults = []fieldDefault{
	{"restartPolicy", "Always"},
	{"dnsPolicy", "ClusterFirst"},
	{"schedulerName", "default-scheduler"},
	{"terminationGracePeriodSeconds", int64(30)},
	{"securityContext", nil},
	{"volumes.*.emptyDir", nil},
	{"volumes.*.hostPath.type", ""},
	{"volumes.*.secret.defaultMode", int64(0o644)},
	{"volumes.*.configMap.defaultMode", int64(0o644)},
	{"volumes.*.downwardAPI.defaultMode", int64(0o644)},
	{"volumes.*.downwardAPI.items.*.fieldRef.apiVersion", "v1"},
	{"volumes.*.projected.defaultMode", int64(0o644)},
	{"volumes.*.projected.sources.*.serviceAccountToken.expirationSeconds", int64(3600)},
	{"volumes.*.projected.sources.*.downwardAPI.items.*.fieldRef.apiVersion", "v1"},
	{"volumes.*.ephemeral.volumeClaimTemplate.metadata", nil},
	{"volumes.*.ephemeral.volumeClaimTemplate.spec.volumeMode", "Filesystem"},
	{"volumes.*.ephemeral.volumeClaimTemplate.spec.resources", nil},
	{"volumes.*.iscsi.iscsiInterface", "default"},
	{"volumes.*.rbd.pool", "rbd"},
	{"volumes.*.rbd.user", "admin"},
	{"volumes.*.rbd.keyring", "/etc/ceph/keyring"},
	{"volumes.*.azureDisk.cachingMode", "ReadWrite"},
	{"volumes.*.azureDisk.fsType", "ext4"},
	{"volumes.*.azureDisk.readOnly", false},
	{"volumes.*.azureDisk.kind", "Shared"},
	{"volumes.*.scaleIO.storageMode", "ThinProvisioned"},
	{"volumes.*.scaleIO.fsType", "xfs"},
}

var containerDefaults = []fieldDefault{
	{"terminationMessagePath", "/dev/termination-log"},
	{"terminationMessagePolicy", "File"},
	{"resources", nil},
	{"ports.*.protocol", "TCP"},
	{"env.*.valueFrom.fieldRef.apiVersion", "v1"},
	{"env.*.valueFrom.fileKeyRef.optional", false},
	{"lifecycle.postStart.httpGet.path", "/"},
	{"lifecycle.postStart.httpGet.scheme", "HTTP"},
	{"lifecycle.preStop.httpGet.path", "/"},
	{"lifecycle.preStop.httpGet.scheme", "HTTP"},
}

var probeDefaults = []fieldDefault{
	{"timeoutSeconds", int64(1)},
	{"periodSeconds", int64(10)},
	{"successThreshold", int64(1)},
	{"failureThreshold", int64(3)},
	{"httpGet.path", "/"},
	{"httpGet.scheme", "HTTP"},
	{"grpc.service", ""},
}

// quantities are the paths of every resource quantity of a pod template; zero, which a divisor always has, is none.
var quantities = []string{
	"overhead.*",
	"resources.limits.*",
	"resources.requests.*",
	"containers.*.resources.limits.*",
	"containers.*.resources.requests.*",
	"containers.*.env.*.valueFrom.resourceFieldRef.divisor",
	"initContainers.*.resources.limits.*",
	"initContainers.*.resources.requests.*",
	"initContainers.*.env.*.valueFrom.resourceFieldRef.divisor",
	"volumes.*.emptyDir.sizeLimit",
	"volumes.*.downwardAPI.items.*.resourceFieldRef.divisor",
	"volumes.*.projected.sources.*.downwardAPI.items.*.resourceFieldRef.divisor",
	"volumes.*.ephemeral.volumeClaimTemplate.spec.resources.limits.*",
	"volumes.*.ephemeral.volumeClaimTemplate.spec.resources.requests.*",
}

var podSpecRules = buildRules()

func buildRules() *rules {
	root := &rules{tidy: tidyPodSpec}
	add := func(prefix string, table []fieldDefault) {
		for _, d := range table {
			r := root.at(prefix + d.path)
			r.hasUnset, r.unset = true, d.value
		}
	}
	add("", podSpecDefaults)
	for _, containers := range []string{"containers.*.", "initContainers.*."} {
		add(containers, containerDefaults)
		for _, probe := range []string{"livenessProbe.", "readinessProbe.", "startupProbe."} {
			add(containers+probe, probeDefaults)
		}
		root.at(strings.TrimSuffix(containers, ".")).tidy = tidyContainer
	}
	root.at("volumes.*.image").tidy = tidyImageVolume
	for _, path := range quantities {
		r := root.at(path)
		r.quantity = true
		if strings.HasSuffix(path, ".divisor") {
			r.hasUnset, r.unset = true, "0"
		}
	}
	return root
}

// tidyPodSpec removes what repeats another field: the old name of serviceAccountName, and, as older API servers fill them
// in, host ports on the host network.
func tidyPodSpec(spec map[string]any) {
	if old, ok := spec["serviceAccount"]; ok {
		delete(spec, "serviceAccount")
		if _, ok := spec["serviceAccountName"]; !ok {
			spec["serviceAccountName"] = old
		}
	}
	if spec["hostNetwork"] != true {
		return
	}
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := spec[list].([]any)
		for _, container := range containers {
			fields, _ := container.(map[string]any)
			ports, _ := fields["ports"].([]any)
			for _, port := range ports {
				if p, ok := port.(map[string]any); ok && p["hostPort"] == p["containerPort"] {
					delete(p, "hostPort")
				}
			}
		}
	}
}

func tidyContainer(container map[string]any) { tidyPullPolicy(container, "image", "imagePullPolicy") }

func tidyImageVolume(volume map[string]any) { tidyPullPolicy(volume, "reference", "pullPolicy") }

// tidyPullPolicy removes a pull policy that is the default of its image: Always for the tag latest, which is also that of
// an image with neither tag nor digest, and IfNotPresent for every other.
func tidyPullPolicy(m map[string]any, image, policy string) {
	reference, _ := m[image].(string)
	want := "IfNotPresent"
	if isLatest(reference) {
		want = "Always"
	}
	if m[policy] == want {
		delete(m, policy)
	}
}

func isLatest(reference string) bool {
	if reference == "" {
		return false
	}
	name, _, digested := strings.Cut(reference, "@")
	name = name[strings.LastIndex(name, "/")+1:] // a colon before that is a registry's port
	_, tag, tagged := strings.Cut(name, ":")
	return tag == "latest" || (!tagged && !digested)
}
