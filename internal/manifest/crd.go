package manifest

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:generate go tool -modfile=tools/go.mod controller-gen crd:allowDangerousTypes=true,maxDescLen=0 paths=../canary output:crd:dir=crds
//go:generate rm -f crds/flagger.app_comparisons.yaml

// crds are the definitions that are generated from the types of internal/canary: numbers with a fraction, which thresholds
// are, are what the generator calls dangerous.
//
//go:embed crds/*.yaml
var crds embed.FS

// definitions are the files of the definitions, by kind.
func definitions() map[string]string {
	return map[string]string{
		"Canary":         "crds/flagger.app_canaries.yaml",
		"MetricTemplate": "crds/flagger.app_metrictemplates.yaml",
		"AlertProvider":  "crds/flagger.app_alertproviders.yaml",
	}
}

// Kinds lists the kinds that RenderCRD knows, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(definitions())) }

// RenderCRD returns the CustomResourceDefinition of a kind. An unknown one is an error that lists the known.
func RenderCRD(kind string) (Object, error) {
	file, ok := definitions()[kind]
	if !ok {
		return Object{}, fmt.Errorf("%q is not known; allowed are %s", kind, strings.Join(Kinds(), ", "))
	}
	text, err := crds.ReadFile(file)
	if err != nil {
		return Object{}, fmt.Errorf("read the definition of a %s: %w", kind, err)
	}
	var body map[string]any
	if err := yaml.Unmarshal(text, &body); err != nil {
		return Object{}, fmt.Errorf("read the definition of a %s: %w", kind, err)
	}
	return Object{
		Comment: fmt.Sprintf("The fields of a %s that Penstock knows. A cluster that has Flagger's own definition keeps that one.", kind),
		Body:    body,
	}, nil
}
