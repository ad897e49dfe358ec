package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/penstock-dev/penstock/internal/canary"
)

// maxFile bounds what is read of one file or of standard input: a canary is a few kilobytes.
const maxFile = 4 << 20

// read reads resources from files, directories, globs and, for "-", standard input.
func (a *App) read(args []string) (canary.Set, error) {
	var files []canary.File
	var problems []error
	for _, arg := range args {
		found, err := a.readOne(arg)
		if err != nil {
			problems = append(problems, err)
		}
		files = append(files, found...)
	}
	if len(problems) > 0 {
		return canary.Set{}, badInput(errors.Join(problems...))
	}
	set, err := canary.Parse(files)
	if err != nil {
		return set, badInput(err)
	}
	return set, nil
}

func (a *App) readOne(arg string) ([]canary.File, error) {
	if arg == "-" {
		data, err := io.ReadAll(io.LimitReader(a.Stdin, maxFile+1))
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return []canary.File{{Name: "stdin", Data: data}}, nil
	}
	paths, err := expand(arg)
	if err != nil {
		return nil, err
	}
	var files []canary.File
	for _, path := range paths {
		data, err := readFile(path)
		if err != nil {
			return files, err
		}
		files = append(files, canary.File{Name: path, Data: data})
	}
	return files, nil
}

// expand turns an argument into the files that it means.
func expand(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && !info.IsDir():
		return []string{arg}, nil
	case err == nil:
		return manifests(arg)
	case !strings.ContainsAny(arg, "*?["):
		return nil, fmt.Errorf("%s: no such file or directory", arg)
	}
	paths, err := filepath.Glob(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: not a pattern: %w", arg, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: the pattern matches no file", arg)
	}
	var all []string
	for _, path := range paths {
		more, err := expand(path)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// manifests lists the YAML and JSON files below a directory, sorted.
func manifests(dir string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read directory %q: %w", dir, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: the directory has no .yaml, .yml or .json file", dir)
	}
	return paths, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return data, nil
}

// choose returns the canary that a run is about: the only one, or the one of the name.
func choose(set *canary.Set, name string) (*canary.Canary, error) {
	var names []string
	for _, c := range set.Canaries {
		if name == c.Name || name == "" && len(set.Canaries) == 1 {
			return c, nil
		}
		names = append(names, c.Name)
	}
	switch {
	case len(names) == 0:
		return nil, badInput(errors.New("the files hold no Canary"))
	case name == "":
		return nil, badInput(fmt.Errorf("the files hold %d canaries; name the one to run: %s", len(names), strings.Join(names, ", ")))
	}
	return nil, badInput(fmt.Errorf("the files hold no canary %q; they hold %s", name, strings.Join(names, ", ")))
}
