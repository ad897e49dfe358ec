package fleet

// Actions are what Run does with a canary, known by its place in the plan.
type Actions struct {
	Start func(i int) (well bool) // runs it to its end; called on a goroutine of its own
	Skip  func(i, because int)    // it never starts, since another did not end well
	Stop  <-chan struct{}         // closed when the run is cancelled: nothing more is started
}

// Run runs the canaries in the order of the plan and returns where they are at the end, when nothing runs any more. Those
// that a cancelled run did not start are Waiting.
func (p *Plan) Run(do Actions) []Stage {
	type end struct {
		i    int
		well bool
	}
	at := make([]Stage, len(p.names))
	ended := make(chan end) // every goroutine sends once, and every message is received
	for running := 0; ; {
		start, skip := p.Next(at)
		for i, because := range skip {
			at[i] = Skipped
			do.Skip(i, because)
		}
		for _, i := range start {
			if stopped(do.Stop) {
				break
			}
			at[i], running = Running, running+1
			go func() { ended <- end{i, do.Start(i)} }()
		}
		if running == 0 {
			return at
		}
		e := <-ended
		running--
		if at[e.i] = Failed; e.well {
			at[e.i] = Passed
		}
	}
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
