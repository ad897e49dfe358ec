package rehearsal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFaultLatency bounds the latency of a fault. It is well below what the users of a rehearsal wait.
const maxFaultLatency = 10 * time.Second

// ParseFaults reads the values of the flag --fault, each a list of faults with commas between them:
//
//	[canary:|primary:]kind[=value][@weight]
//
// The version is the canary when none is named. The error lists every problem, with what is allowed.
func ParseFaults(values []string) (Faults, error) {
	var all Faults
	var problems []error
	for _, value := range values {
		for text := range strings.SplitSeq(value, ",") {
			text = strings.TrimSpace(text)
			f, err := parseFault(text)
			if err == nil && slices.Contains(all, f) {
				err = errors.New("it is given twice")
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("fault %q: %w", text, err))
				continue
			}
			all = append(all, f)
		}
	}
	if all.starves(Canary) && all.starves(Primary) {
		problems = append(problems, errors.New("fault no-traffic: it is given for both versions, which leaves nobody to send the requests to; leave one out"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return all, nil
}

func (all Faults) starves(v Version) bool {
	return slices.ContainsFunc(all, func(f Fault) bool { return f.Kind == faultNoTraffic && f.Version == v })
}

const faultsAllowed = "allowed are errors=5%, latency=800ms, crash, no-traffic and metrics-down"

func parseFault(text string) (Fault, error) {
	if text == "" {
		return Fault{}, errors.New("it is empty; " + faultsAllowed)
	}
	rest, weight, weighed := strings.Cut(text, "@")
	version, rest, named := cutVersion(rest)
	kind, value, valued := strings.Cut(rest, "=")
	f := Fault{Version: Canary, Kind: faultKind(kind)}
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if named {
		var err error
		f.Version, err = parseVersion(version)
		note(err)
	}
	if weighed {
		var err error
		f.From, err = parseFaultWeight(weight)
		note(err)
	}
	note(f.parseValue(value, valued))
	if named && f.Kind == faultMetricsDown {
		note(fmt.Errorf("metrics-down concerns both versions; leave out %q", version+":"))
	}
	return f, joinProblems(problems)
}

// joinProblems puts several problems of one fault on one line.
func joinProblems(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

func cutVersion(text string) (version, rest string, found bool) {
	if before, after, ok := strings.Cut(text, ":"); ok {
		return before, after, true
	}
	return "", text, false
}

func parseVersion(text string) (Version, error) {
	for _, v := range []Version{Primary, Canary} {
		if text == v.String() {
			return v, nil
		}
	}
	return Canary, fmt.Errorf("version %q is not known; allowed are canary and primary", text)
}

func parseFaultWeight(text string) (int, error) {
	weight, err := strconv.Atoi(text)
	if err != nil || weight < 0 || weight > 100 {
		return 0, fmt.Errorf("weight %q is not a whole number from 0 to 100, such as @30", text)
	}
	return weight, nil
}

// parseValue reads what stands after the equals sign.
func (f *Fault) parseValue(value string, valued bool) error {
	var err error
	switch f.Kind {
	case faultErrors:
		f.Percent, err = parsePercent(value)
	case faultLatency:
		f.Latency, err = time.ParseDuration(value)
		if err != nil || f.Latency <= 0 || f.Latency > maxFaultLatency {
			err = fmt.Errorf("latency %q is not a duration above 0 and up to %v, such as latency=800ms", value, maxFaultLatency)
		}
	case faultCrash, faultNoTraffic, faultMetricsDown:
		if valued {
			err = fmt.Errorf("%s takes no value, and was given %q", f.Kind, value)
		}
	default:
		err = fmt.Errorf("kind %q is not known; %s", string(f.Kind), faultsAllowed)
	}
	return err
}

func parsePercent(value string) (float64, error) {
	number, isPercent := strings.CutSuffix(value, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !isPercent || !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("share %q is not a percentage above 0 and up to 100, such as errors=5%%", value)
	}
	return percent, nil
}
