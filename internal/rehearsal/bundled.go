package rehearsal

import _ "embed"

// Bundled is the canary that is rehearsed when no file is given.
//
//go:embed bundled/podinfo.yaml
var Bundled []byte
