package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	primarySuffix = "-primary"
	canarySuffix  = "-canary"
)

// acceptedLabels tell the pods of a target from those of its primary, in order of preference (Flagger's -selector-labels).
var acceptedLabels = [...]string{"app", "name", "app.kubernetes.io/name"}

// Label returns the label that tells the target's pods from the primary's: the first of app, name and
// app.kubernetes.io/name in spec.selector.matchLabels.
func Label(target *Workload) (key, value string, err error) {
	matchLabels := selectorOf(target)
	for _, key := range acceptedLabels {
		value, ok := matchLabels[key]
		if !ok {
			continue
		}
		if problems := validation.IsValidLabelValue(value + primarySuffix); len(problems) > 0 {
			return "", "", fmt.Errorf("%s: spec.selector.matchLabels: %s: %q cannot get the suffix %s: %s",
				target.describe(), key, value, primarySuffix, problems[0])
		}
		return key, value, nil
	}
	return "", "", fmt.Errorf("%s: spec.selector.matchLabels has %s, none of which tells the canary's pods from the primary's; needed is one of %s",
		target.describe(), listLabels(matchLabels), strings.Join(acceptedLabels[:], ", "))
}

// SharedLabel returns the label of Label and its value for the canary's pods. The target says it; a primary whose target
// is gone does too, so that its traffic can still be moved. Either may be nil, but not both.
func SharedLabel(target, primary *Workload) (key, value string, err error) {
	if target != nil {
		return Label(target)
	}
	if key, value, ok := primaryLabel(primary); ok {
		return key, value, nil
	}
	return "", "", fmt.Errorf("%s: spec.selector.matchLabels has %s, none of which tells its pods from the canary's",
		primary.describe(), listLabels(selectorOf(primary)))
}

// primaryLabel is Label read back from a primary, whose selector may have been made by an earlier version or by Flagger.
func primaryLabel(primary *Workload) (key, value string, ok bool) {
	matchLabels := selectorOf(primary)
	for _, key := range acceptedLabels {
		if value, ok := strings.CutSuffix(matchLabels[key], primarySuffix); ok {
			return key, value, true
		}
	}
	return "", "", false
}

func selectorOf(w *Workload) map[string]string {
	if w.Selector == nil {
		return nil
	}
	return w.Selector.MatchLabels
}

// selectPods selects the pods of a target and of its primary.
func selectPods(_ *Refs, target *Workload) (string, error) {
	key, value, err := Label(target)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s in (%s,%s)", key, value, value+primarySuffix), nil
}

func listLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return "no labels"
	}
	pairs := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ", ")
}

// spreadSelectors returns the label selectors with which pods keep away from their own kind. In the primary they must
// name the primary's pods.
func spreadSelectors(spec *corev1.PodSpec) []*metav1.LabelSelector {
	var selectors []*metav1.LabelSelector
	for i := range spec.TopologySpreadConstraints {
		selectors = append(selectors, spec.TopologySpreadConstraints[i].LabelSelector)
	}
	if spec.Affinity != nil && spec.Affinity.PodAntiAffinity != nil {
		anti := spec.Affinity.PodAntiAffinity
		for i := range anti.RequiredDuringSchedulingIgnoredDuringExecution {
			selectors = append(selectors, anti.RequiredDuringSchedulingIgnoredDuringExecution[i].LabelSelector)
		}
		for i := range anti.PreferredDuringSchedulingIgnoredDuringExecution {
			term := &anti.PreferredDuringSchedulingIgnoredDuringExecution[i].PodAffinityTerm
			selectors = append(selectors, term.LabelSelector)
		}
	}
	return slices.DeleteFunc(selectors, func(s *metav1.LabelSelector) bool { return s == nil })
}

// renameIn replaces a value of a label in a selector, in place.
func renameIn(selector *metav1.LabelSelector, key, from, to string) {
	if selector.MatchLabels[key] == from && from != "" {
		selector.MatchLabels[key] = to
	}
	for i := range selector.MatchExpressions {
		if selector.MatchExpressions[i].Key != key {
			continue
		}
		for j, value := range selector.MatchExpressions[i].Values {
			if value == from {
				selector.MatchExpressions[i].Values[j] = to
			}
		}
	}
}
