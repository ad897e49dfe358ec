package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/penstock-dev/penstock/internal/approval"
	"github.com/penstock-dev/penstock/internal/canary"
	"github.com/penstock-dev/penstock/internal/manifest"
	"github.com/penstock-dev/penstock/internal/report"
	"github.com/penstock-dev/penstock/internal/rollout"
)

// keptByPenstock selects the ConfigMaps that Penstock has written.
const keptByPenstock = "app.kubernetes.io/managed-by=" + FieldManager

// Whose says which canaries are meant.
type Whose struct {
	Namespace string // empty: of all namespaces
	Canary    string // empty: all of them; one that is named takes no permission to list
}

// Standings reads what is kept about canaries, in the order of their names. Without the permission to read leases it is
// not known which of them a run is at work on.
func (c *Client) Standings(ctx context.Context, of Whose, now time.Time) ([]report.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var maps, leases []unstructured.Unstructured
	var err error
	if of.Canary != "" {
		maps, leases, err = c.keptOf(ctx, of)
	} else {
		maps, leases, err = c.keptAll(ctx, of.Namespace)
	}
	if err != nil {
		return nil, err
	}
	kept := make([]keptMap, len(maps))
	for i := range maps {
		kept[i] = readKept(&maps[i])
	}
	return standings(kept, leases, now), nil
}

// StandingOf reads what is kept about one canary. It is an error when that is nothing.
func (c *Client) StandingOf(ctx context.Context, of Whose, now time.Time) (report.Standing, error) {
	all, err := c.Standings(ctx, of, now)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("no run has kept anything about the canary %q in namespace %q", of.Canary, of.Namespace)
	}
	if err != nil {
		return report.Standing{}, err
	}
	return all[0], nil
}

// keptOf reads the objects of one canary by their names. No leases at all means that they may not be read.
func (c *Client) keptOf(ctx context.Context, of Whose) (maps, leases []unstructured.Unstructured, err error) {
	named := &canary.Canary{}
	named.Name, named.Namespace = of.Canary, of.Namespace
	for _, name := range []string{ObjectName(named), manifest.DecisionsName(named), manifest.GateName(named)} {
		live, err := c.get(ctx, configMapGVR, of.Namespace, name)
		if err != nil {
			return nil, nil, err
		}
		if live != nil {
			maps = append(maps, *live)
		}
	}
	lease, err := c.get(ctx, leaseGVR, of.Namespace, ObjectName(named))
	switch {
	case apierrors.IsForbidden(err):
		return maps, nil, nil
	case err != nil:
		return nil, nil, err
	case lease == nil:
		return maps, []unstructured.Unstructured{}, nil
	}
	return maps, []unstructured.Unstructured{*lease}, nil
}

func (c *Client) keptAll(ctx context.Context, namespace string) (maps, leases []unstructured.Unstructured, err error) {
	if maps, err = c.listKept(ctx, configMapGVR, namespace, keptByPenstock); err != nil {
		return nil, nil, err
	}
	leases, err = c.listKept(ctx, leaseGVR, namespace, "")
	if apierrors.IsForbidden(err) {
		return maps, nil, nil
	}
	return maps, leases, err
}

func (c *Client) listKept(ctx context.Context, gvr schema.GroupVersionResource, namespace, labels string) ([]unstructured.Unstructured, error) {
	all := []unstructured.Unstructured{}
	options := metav1.ListOptions{LabelSelector: labels, Limit: 200}
	for {
		var page *unstructured.UnstructuredList
		err := persist(ctx, func(ctx context.Context) (err error) {
			page, err = c.dynamic.Resource(gvr).Namespace(namespace).List(ctx, options)
			return err
		})
		where := "all namespaces"
		if namespace != "" {
			where = fmt.Sprintf("namespace %q", namespace)
		}
		switch {
		case err != nil && permanent(err):
			return nil, fmt.Errorf("%w: list the %s of %s: %w", ErrRefused, gvr.Resource, where, err)
		case err != nil:
			return nil, fmt.Errorf("list the %s of %s at %s: %w", gvr.Resource, where, c.Host, err)
		}
		all = append(all, page.Items...)
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return all, nil
		}
	}
}

// keptMap is a ConfigMap with what it holds about a canary, read once: a watch sees every one of them again and again.
type keptMap struct {
	*unstructured.Unstructured

	record    *rollout.Record // each is nil when it holds none
	decisions *approval.Log
	notice    *approval.Notice

	noRecord, noDecisions, noNotice error // why what it holds cannot be read
}

func readKept(o *unstructured.Unstructured) keptMap {
	k := keptMap{Unstructured: o}
	read := func(key string, into any) (bool, error) {
		text, found, _ := unstructured.NestedString(o.Object, "data", key)
		if !found {
			return false, nil
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return true, fmt.Errorf("the %s of the ConfigMap %q is damaged: %w", key, o.GetName(), err)
		}
		return true, nil
	}
	var record rollout.Record
	var found bool
	if found, k.noRecord = read(recordKey, &record); found {
		k.record = &record
	}
	var decisions approval.Log
	if found, k.noDecisions = read(decisionsKey, &decisions); found {
		k.decisions = &decisions
	}
	if _, found, _ = unstructured.NestedString(o.Object, "data", noticeKey); found {
		var notice approval.Notice
		notice, k.noNotice = noticeIn(o)
		k.notice = &notice
	}
	return k
}

// standings puts together what belongs to one canary. No leases, as opposed to an empty list of them, means that they may
// not be read.
func standings(maps []keptMap, leases []unstructured.Unstructured, now time.Time) []report.Standing {
	byName := map[[2]string]*report.Standing{}
	for i := range maps {
		o := &maps[i]
		name, ours := strings.CutPrefix(o.GetName(), "penstock-")
		if !ours || o.record == nil {
			continue
		}
		s := &report.Standing{Canary: name, Namespace: o.GetNamespace(), Record: *o.record}
		s.Problem = problemOf(s, o.noRecord)
		byName[[2]string{s.Namespace, s.Canary}] = s
	}
	of := func(o *keptMap, suffix string) *report.Standing {
		return byName[[2]string{o.GetNamespace(), strings.TrimSuffix(strings.TrimPrefix(o.GetName(), "penstock-"), suffix)}]
	}
	for i := range maps {
		if s := of(&maps[i], "-decisions"); s != nil && maps[i].decisions != nil {
			s.Decisions, s.Problem = *maps[i].decisions, problemOf(s, maps[i].noDecisions)
		}
	}
	for i := range maps {
		s := of(&maps[i], "-gate")
		if s == nil || maps[i].notice == nil {
			continue
		}
		if s.Problem = problemOf(s, maps[i].noNotice); maps[i].noNotice == nil {
			listening(s, maps[i].notice, now)
		}
	}
	for i := range leases {
		s := byName[[2]string{leases[i].GetNamespace(), strings.TrimPrefix(leases[i].GetName(), "penstock-")}]
		if s != nil && strings.HasPrefix(leases[i].GetName(), "penstock-") {
			s.Holder, s.HeldUntil = holder(&leases[i])
		}
	}
	all := []report.Standing{}
	for _, s := range byName {
		if leases != nil {
			s.Attend(now)
		}
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b report.Standing) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Canary, b.Canary))
	})
	return all
}

// problemOf keeps the first problem of a standing.
func problemOf(s *report.Standing, err error) string {
	if err == nil {
		return s.Problem
	}
	return cmp.Or(s.Problem, err.Error())
}

// listening fills in at which gate the run waits for people, if it does.
func listening(s *report.Standing, n *approval.Notice, now time.Time) {
	if n.Over || n.Gate.Rollout != s.Record.ID && n.Epoch != s.Record.Epoch { // a run that resumes keeps the gate of the one before
		return
	}
	verdict := approval.Judge(n.Gate, n.Policy, s.Decisions, now)
	s.Notice, s.Lacks = n, verdict.Missing
	s.Gate = report.GateOf(n, &verdict)
}

// Holder returns who holds the lease of a canary, or nobody when it was given back or does not exist. That its holder is
// alive is not said with that.
func (c *Client) Holder(ctx context.Context, cn *canary.Canary) (string, error) {
	lease, err := c.get(ctx, leaseGVR, cn.Namespace, ObjectName(cn))
	if err != nil || lease == nil {
		return "", err
	}
	by, _ := holder(lease)
	return by, nil
}

// holder returns who holds a lease and until when, by the clock of whoever holds it.
func holder(live *unstructured.Unstructured) (string, time.Time) {
	var lease coordinationv1.Lease
	if runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &lease) != nil || lease.Spec.RenewTime == nil {
		return "", time.Time{}
	}
	spec := &lease.Spec
	return ptr.Deref(spec.HolderIdentity, ""), spec.RenewTime.Add(time.Duration(ptr.Deref(spec.LeaseDurationSeconds, 0)) * time.Second)
}
