package internal

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the list of licences")

const licencesPage = "../docs/licences.md"

// licences are told by words that only they have. The order is that of the page.
var licences = []struct{ name, words string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD-3-Clause", "redistributions of source code must retain the above copyright notice"},
	{"ISC", "distribute this software for any purpose with or without fee is hereby granted"},
	{"MPL-2.0", "mozilla public license version 2.0"},
}

// TestTheLicencesOfWhatIsBuiltInAreListed reads the modules that the program is linked from and their licences, from the
// module cache: it asks no network. A licence that is not known here has to be looked at by a person.
func TestTheLicencesOfWhatIsBuiltInAreListed(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}\t{{.Main}}{{end}}", "../cmd/penstock")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=-mod=readonly")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.String())
	}
	modules := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if part := strings.Split(strings.TrimSpace(line), "\t"); len(part) == 3 && part[2] == "false" {
			modules[part[0]] = part[1]
		}
	}
	if len(modules) < 20 {
		t.Fatalf("only %d modules were found", len(modules))
	}
	var page strings.Builder
	page.WriteString("# Licences\n\nPenstock is under the Apache License 2.0: see LICENSE. The program is linked from these modules, each under a licence of its own.\n" +
		"A test writes this page from the licences in the module cache, and fails when it is out of date or when it meets a licence\nthat nobody has looked at.\n\n" +
		"| module | licence |\n| --- | --- |\n")
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		names, err := licencesIn(modules[path])
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		fmt.Fprintf(&page, "| %s | %s |\n", path, strings.Join(names, ", "))
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(licencesPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(licencesPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), page.String()); diff != "" {
		t.Errorf("docs/licences.md is out of date; run `go test ./internal -run Licences -update` (-have +want):\n%s", diff)
	}
}

// licencesIn names the licences in the files at the top of a module.
func licencesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found, files []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, entry.Name())
		plain := strings.ToLower(strings.Join(strings.Fields(strings.NewReplacer(",", " ", "(", " ", ")", " ", "\"", " ", "*", " ").Replace(string(text))), " "))
		for _, l := range licences {
			words := strings.Join(strings.Fields(strings.ReplaceAll(l.words, ",", " ")), " ")
			if strings.Contains(plain, words) && !slices.Contains(found, l.name) {
				found = append(found, l.name)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no licence that is known is in %q", files)
	}
	return bsd(dir, files, found), nil
}

// bsd tells the BSD licence of two clauses from that of three, which also forbids advertising with the authors' names.
func bsd(dir string, files, found []string) []string {
	for i, name := range found {
		if name != "BSD-3-Clause" {
			continue
		}
		three := slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(filepath.Join(dir, file))
			return err == nil && strings.Contains(strings.ToLower(strings.Join(strings.Fields(string(text)), " ")), "to endorse or promote")
		})
		if !three {
			found[i] = "BSD-2-Clause"
		}
	}
	return found
}
