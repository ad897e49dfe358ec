package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// secretInputs say which Secrets of metrics and alert providers the CI platform holds in place of the cluster.
type secretInputs struct {
	SecretEnv []string `input:"secret-env" help:"SECRET/KEY=VARIABLE: the key of a Secret that a MetricTemplate, Comparison or AlertProvider names is the value of this environment variable, and the cluster is not asked for that Secret; may be repeated"`
}

// envSecrets are the data of Secrets, by their names. A name stands for the Secrets of that name in all namespaces: what a
// run refers to is written by one team.
type envSecrets map[string]map[string][]byte

// ofJob reads the pairs, and the variables of the job. The error lists everything that is wrong with them, and shows no value.
func (in *secretInputs) ofJob(getenv func(string) string) (envSecrets, error) {
	all := envSecrets{}
	var problems []error
	for _, pair := range in.SecretEnv {
		name, key, variable, ok := cutSecret(pair)
		value := getenv(variable)
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("secret-env: %q is not SECRET/KEY=VARIABLE, such as datadog/datadog_api_key=DD_API_KEY", pair))
		case len(validation.IsDNS1123Subdomain(name)) > 0:
			problems = append(problems, fmt.Errorf("secret-env: %q: %q is not the name of a Secret: lower-case letters, digits, dashes and dots", pair, name))
		case len(validation.IsConfigMapKey(key)) > 0:
			problems = append(problems, fmt.Errorf("secret-env: %q: %q is not a key of a Secret: letters, digits, dashes, underscores and dots", pair, key))
		case all[name][key] != nil:
			problems = append(problems, fmt.Errorf("secret-env: %q: %s of the Secret %q is given twice", pair, key, name))
		case value == "":
			problems = append(problems, fmt.Errorf("secret-env: %q: the variable %s is empty or not set in this job", pair, variable))
		default:
			if all[name] == nil {
				all[name] = map[string][]byte{}
			}
			all[name][key] = []byte(value)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, badInput(err)
	}
	return all, nil
}

func cutSecret(pair string) (name, key, variable string, ok bool) {
	from, variable, isPair := strings.Cut(pair, "=")
	name, key, isKey := strings.Cut(from, "/")
	return name, key, variable, isPair && isKey && name != "" && key != "" && variable != "" && !strings.ContainsAny(variable, "= \t")
}

// spare leaves out the permissions to read the Secrets that the cluster is not asked for.
func (in *secretInputs) spare(needs []manifest.Need) []manifest.Need {
	return slices.DeleteFunc(needs, func(n manifest.Need) bool {
		return n.Resource == "secrets" && slices.ContainsFunc(in.SecretEnv, func(pair string) bool {
			name, _, _, ok := cutSecret(pair)
			return ok && name == n.Name
		})
	})
}
