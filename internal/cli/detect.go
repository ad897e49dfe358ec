package cli

import (
	"context"
	"fmt"

	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/kube"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/traffic"
)

// detect finds the router of a canary for which neither the file nor the command line names one, and says so.
func (a *App) detect(ctx context.Context, client *kube.Client, c *canary.Canary, provider string) error {
	if c.Spec.Provider != "" || provider != "" {
		return nil
	}
	cluster, err := client.Survey(ctx, c)
	if err != nil {
		return classify(err)
	}
	guess, err := traffic.Detect(c, cluster)
	if err != nil {
		return badInput(fmt.Errorf("canary %q cannot be run:\n%w", c.Namespace+"/"+c.Name, err))
	}
	c.Spec.Provider = guess.Provider
	_, err = fmt.Fprintf(a.Stderr, "%s: spec.provider is not given; the router is taken to be %s, because %s\n",
		report.Clean(c.Namespace+"/"+c.Name), guess.Provider, report.Clean(guess.Why))
	return err
}
