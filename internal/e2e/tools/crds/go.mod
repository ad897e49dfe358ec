module github.com/penstock-dev/penstock/internal/e2e/tools/crds

go 1.26.0

// Only the YAML files of these modules are read, none of their packages is imported; "go mod tidy" would remove them.
require (
	github.com/fluxcd/flagger v1.44.0 // indirect
	github.com/projectcontour/contour v1.33.8 // indirect
	github.com/traefik/traefik/v3 v3.7.13 // indirect
	istio.io/api v1.31.4 // indirect
	knative.dev/serving v0.51.0 // indirect
	sigs.k8s.io/gateway-api v1.6.1 // indirect
)
