package e2e

import (
	"encoding/json"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// termOf reads a version of the lease. One that is deleted is held by nobody, and its epoch stays.
func termOf(v Version) term {
	holder, _, _ := unstructured.NestedString(v.Object.Object, "spec", "holderIdentity")
	transitions, _, _ := unstructured.NestedInt64(v.Object.Object, "spec", "leaseTransitions")
	if v.Deleted {
		holder = ""
	}
	return term{from: v.order, holder: holder, epoch: transitions + 1}
}

// wantEpochs checks every version of every object that names the epoch of its writer: it is the epoch of the lease at that
// moment, and the record is that of the run that holds it. It returns how many versions that were.
func (s *scenario) wantEpochs() (checked int) {
	s.t.Helper()
	var lease term
	written := map[string]string{} // by object: what penstock owned of it, when it last changed
	s.record.Replay(func(m Moment) {
		v := m.Version
		at := v.At.Format("15:04:05.000")
		if v.key() == "Lease/penstock-podinfo" {
			next := termOf(v)
			if next.epoch < lease.epoch {
				s.t.Errorf("%s: the lease went from epoch %d back to %d", at, lease.epoch, next.epoch)
			}
			if lease = next; v.Deleted && m.Object("ConfigMap", "penstock-podinfo") == nil {
				lease = term{} // the canary was uninstalled, and its epochs begin anew
			}
			return
		}
		own := ownedByPenstock(v.Object)
		if own == "" || own == written[v.key()] || v.Deleted {
			return
		}
		written[v.key()] = own
		epoch, named := epochOf(m)
		if !named {
			return
		}
		checked++
		if epoch != lease.epoch {
			s.t.Errorf("%s: %s was written under epoch %d, while the lease is at epoch %d", at, v.key(), epoch, lease.epoch)
		}
		if v.key() == "ConfigMap/penstock-podinfo" && recordAt(m).ID != lease.holder {
			s.t.Errorf("%s: the record was written by %s, while the lease is held by %q", at, recordAt(m).ID, lease.holder)
		}
	})
	return checked
}

// epochOf is the epoch that an object says it was written under.
func epochOf(m Moment) (epoch int64, named bool) {
	if m.Version.key() == "ConfigMap/penstock-podinfo" {
		return recordAt(m).Epoch, true
	}
	epoch, err := strconv.ParseInt(m.Version.Object.GetAnnotations()["penstock.dev/epoch"], 10, 64)
	return epoch, err == nil
}

// ownedByPenstock is what the API server says that penstock has written of an object, and when; empty when it is nothing.
// For the record, which only penstock writes and which it writes more than once a second, that is all of it.
func ownedByPenstock(object *unstructured.Unstructured) string {
	if object.GetKind() == "ConfigMap" && object.GetName() == "penstock-podinfo" {
		return object.GetResourceVersion()
	}
	var own []metav1.ManagedFieldsEntry
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == "penstock" && entry.Operation == metav1.ManagedFieldsOperationApply {
			own = append(own, entry)
		}
	}
	if len(own) == 0 {
		return ""
	}
	text, err := json.Marshal(own)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
