package cli

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/penstock-dev/penstock/internal/forge"
	"github.com/penstock-dev/penstock/internal/metric"
)

// masker tells the runner of GitHub Actions which values are secret, so that whatever prints one, of this step or of a
// later one, shows ***. Elsewhere it does nothing: GitLab masks only the variables that it was given masked.
type masker struct {
	actions *forge.Actions // nil does nothing

	mu   sync.Mutex
	told map[[sha256.Size]byte]bool // by hash, since a Secret is read again and again
}

func (a *App) masker() *masker {
	if a.Getenv("GITHUB_ACTIONS") != "true" {
		return &masker{}
	}
	return &masker{actions: forge.NewActions(a.Stderr, a.Getenv), told: map[[sha256.Size]byte]bool{}}
}

// hide masks a value in the log.
func (m *masker) hide(value string) {
	if m == nil || m.actions == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	hash := sha256.Sum256([]byte(value))
	if m.told[hash] {
		return
	}
	m.told[hash] = true
	_ = m.actions.Mask(value) // a log that cannot be written shows no secret either
}

// hideAll masks what is known to be secret before anything is asked.
func (a *App) hideAll(secrets []string) {
	m := a.masker()
	for _, secret := range secrets {
		m.hide(secret)
	}
}

// secret reads a Secret, of the job's own variables or else of the cluster, whose values are masked before anybody gets them.
func (d *drive) secret(ctx context.Context, namespace, name string) (data map[string][]byte, err error) {
	data, given := d.secrets[name]
	if !given {
		data, err = d.client.Secret(ctx, namespace, name)
	}
	for _, value := range data {
		d.mask.hide(string(value))
	}
	return data, err
}

// credentials reads those of a metrics provider, masked as all Secrets are.
func (d *drive) credentials(ctx context.Context, ref metric.SecretRef) (metric.Credentials, error) {
	data, err := d.secret(ctx, ref.Namespace, ref.Name)
	if err != nil {
		return nil, err
	}
	credentials := metric.Credentials{}
	for key, value := range data {
		credentials[key] = string(value)
	}
	return credentials, nil
}
