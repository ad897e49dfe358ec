module github.com/penstock-dev/penstock/internal/e2e/tools/crds

go 1.26.0

// Only the YAML files of these modules are read, none of their packages is imported; "go mod tidy" would remove them.
require (
	github.com/fluxcd/flagger v1.44.0 // indirect
	sigs.k8s.io/gateway-api v1.6.1 // indirect
)
