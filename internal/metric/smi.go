package metric

// smi asks Istio's metrics, as Flagger does: SMI names none, and its adapter for Istio was the first implementation. A mesh
// with others needs a templateRef.
var smi = istio
