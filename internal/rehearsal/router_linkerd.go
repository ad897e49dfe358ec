package rehearsal

// linkerdRouter is Linkerd with its extension for SMI. It obeys HTTPRoutes without it.
var linkerdRouter = router{
	kinds: splitRouter("v1alpha1").kinds,
	obey: func(r *Routing, seen routed) {
		obeySplit(r, seen)
		obeyGateway(r, seen)
	},
}
