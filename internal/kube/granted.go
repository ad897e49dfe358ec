package kube

import (
	"context"
	"fmt"
	"slices"

	authorization "k8s.io/api/authorization/v1"

	"github.com/penstock-dev/penstock/internal/manifest"
)

// Grant is a permission and the cluster's answer whether this run has it.
type Grant struct {
	Permission
	Allowed bool
	Why     string // the cluster's own words, in parentheses after a blank; may be empty
}

// Granted asks the API server which of the permissions that a run needs this one has. It changes nothing.
func (w *World) Granted(ctx context.Context) ([]Grant, error) {
	return w.client.granted(ctx, w.Permissions())
}

// Granted is World.Granted for what is needed beside the cluster's objects of a rollout.
func (c *Client) Granted(ctx context.Context, needs []manifest.Need) ([]Grant, error) {
	return c.granted(ctx, manifest.Permissions(needs))
}

// granted asks for everything that a namespace grants at once, and one by one only for what that leaves open: the server
// may not list all.
func (c *Client) granted(ctx context.Context, permissions []Permission) ([]Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	rules := map[string][]authorization.ResourceRule{}
	all := make([]Grant, 0, len(permissions))
	for _, p := range permissions {
		if _, asked := rules[p.Namespace]; !asked {
			rules[p.Namespace] = c.rules(ctx, p.Namespace)
		}
		grant := Grant{Permission: p, Allowed: true}
		if !slices.ContainsFunc(rules[p.Namespace], func(r authorization.ResourceRule) bool { return grants(r, p) }) {
			var err error
			if grant.Allowed, grant.Why, err = c.allowed(ctx, p); err != nil {
				return nil, fmt.Errorf("ask the cluster at %s for permissions: %w", c.Host, err)
			}
		}
		all = append(all, grant)
	}
	return all, nil
}
