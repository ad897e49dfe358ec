package loadtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// mostFile is how long a file may be that a task names.
const mostFile = 16 << 20

// readFile reads a file that a task names. Without Exec it must lie below Files, links included: whoever may write a Canary
// could else have any file sent anywhere, the token of the service account for one.
func (o *Options) readFile(name string) (content []byte, err error) {
	file, err := o.openFile(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, mostFile+1))
	if err == nil && len(content) > mostFile {
		return nil, fmt.Errorf("file %q is longer than %d bytes", name, mostFile)
	}
	return content, err
}

func (o *Options) openFile(name string) (*os.File, error) {
	if o.Exec {
		if !filepath.IsAbs(name) {
			name = filepath.Join(o.Dir, name)
		}
		return os.Open(name)
	}
	if o.Files == "" {
		return nil, fmt.Errorf("file %q: tasks may read no files here, since commands are switched off; %s", name, switchedOn)
	}
	root, err := os.OpenRoot(o.Files)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	if filepath.IsAbs(name) {
		if name, err = filepath.Rel(o.Files, name); err != nil {
			return nil, err
		}
	}
	return root.Open(name)
}
