package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/httpx"
	"github.com/penstock-dev/penstock/internal/kube"
)

// credentialInputs say who a run is to the cluster, where the kubeconfig does not. The first names are kubectl's.
type credentialInputs struct {
	Server       string `input:"server" help:"URL of the API server, in place of the kubeconfig's"`
	CA           string `input:"certificate-authority-data" help:"certificates of whoever signed the API server's, as PEM or in base64"`
	Token        string `input:"token" help:"bearer token for the API server, in place of the kubeconfig's identity; better in $PENSTOCK_TOKEN than on the command line"`
	OIDCAudience string `input:"oidc-audience" help:"in a job of GitHub with id-token: write: be known to the API server by id tokens of the job for this audience, which are renewed"`
	OIDCTokenEnv string `input:"oidc-token-env" help:"in a job of GitLab: be known to the API server by the id token in the variable of this name; see id_tokens"`
}

// variable is the name of an environment variable.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// credentials checks everything that can be and returns all problems at once. It asks nobody for a token yet.
func (a *App) credentials(in credentialInputs) (kube.Credentials, error) {
	out := kube.Credentials{Server: in.Server, CA: in.CA, Token: in.Token}
	var problems []error
	if in.OIDCAudience != "" && in.OIDCTokenEnv != "" {
		problems = append(problems, errors.New("oidc-audience, oidc-token-env: the one is for jobs of GitHub and the other for those of GitLab; use one of them"))
	}
	if in.OIDCAudience != "" {
		client := httpx.New(httpx.Options{Version: a.Version, NoRedirects: true})
		actions := forge.NewActions(a.Stderr, a.Getenv)
		tokens, err := forge.NewIDTokens(in.OIDCAudience, a.Getenv, client.HTTP(), actions.Mask)
		if err != nil {
			problems = append(problems, fmt.Errorf("oidc-audience: %w", err))
		} else {
			out.Tokens = tokens
		}
	}
	if in.OIDCTokenEnv != "" {
		switch {
		case !variable.MatchString(in.OIDCTokenEnv):
			problems = append(problems, errors.New("oidc-token-env: this is not the name of a variable, such as KUBE_ID_TOKEN (it is not shown, it may be the token itself)"))
		case a.Getenv(in.OIDCTokenEnv) == "":
			problems = append(problems, fmt.Errorf("oidc-token-env: $%s is empty; the job needs id_tokens: {%s: {aud: ...}}", in.OIDCTokenEnv, in.OIDCTokenEnv))
		default:
			out.Tokens = tokenVariable{in.OIDCTokenEnv, a.Getenv}
		}
	}
	return out, badInputs(problems)
}

// tokenVariable is a token in the environment. The job gets it once; it lasts as long as the job may.
type tokenVariable struct {
	name   string
	getenv func(string) string
}

func (v tokenVariable) Token(context.Context) (string, error) {
	if token := v.getenv(v.name); token != "" {
		return token, nil
	}
	return "", fmt.Errorf("$%s is empty", v.name)
}
