package loadtest

// kinds are the types of tasks, by their names in metadata.
var kinds = map[string]kind{
	"bash":     {parse: parseBash},
	"cmd":      {parse: parseCmd, background: true},
	"concord":  {parse: parseConcord},
	"helm":     {parse: parseHelm},
	"helmv3":   {parse: parseHelm},
	"http":     {parse: parseHTTP},
	"kubectl":  {parse: parseKubectl},
	"ngrinder": {parse: parseNGrinder, background: true},
	"rate":     {parse: parseRate, background: true},
}
