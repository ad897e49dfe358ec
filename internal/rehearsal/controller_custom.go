package rehearsal

import (
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
)

// reported are the kinds whose controllers report a status.
func (a *API) reported() []Kind {
	a.mu.Lock()
	defer a.mu.Unlock()
	var kinds []Kind
	for _, k := range a.kinds {
		if k.Taken != nil {
			kinds = append(kinds, k.Kind)
		}
	}
	return kinds
}

// syncCustom lets the controllers of custom resources take up what has changed, and report it.
func (c *Controllers) syncCustom() {
	alive := map[types.UID]bool{}
	for _, kind := range c.api.reported() {
		found, _ := c.api.snapshot(apiSelection{gvr: kind.GVR()})
		for _, object := range found {
			alive[object.GetUID()] = true
			if !c.taken(object, c.custom) {
				continue
			}
			status := kind.Taken(object.DeepCopy())
			if equality.Semantic.DeepEqual(subObject(object.Object, "status"), status) {
				continue
			}
			next := object.DeepCopy()
			next.Object["status"] = status
			// A lost race is repaired in the next round.
			_, _ = c.api.UpdateStatus(next, gatewayController)
		}
	}
	maps.DeleteFunc(c.custom, func(uid types.UID, _ routeMemory) bool { return !alive[uid] })
}
