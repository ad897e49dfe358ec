package cli

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-dev/penstock/internal/approval"
)

const approvalsDocument = "../../docs/approvals.md"

// verbsTable is the table of commands as the parser knows them.
func verbsTable() string {
	var b strings.Builder
	b.WriteString("| command | what it does | who may |\n|---|---|---|\n")
	who := map[approval.Class]string{
		approval.Mutating: "those whom the policy names", approval.Brake: "those with the policy's role for brakes", approval.Read: "everybody",
	}
	for _, v := range approval.Verbs() {
		target := ""
		switch {
		case v.NeedsTarget:
			target = " TARGET"
		case v.Class == approval.Brake, v.Verb == approval.Status:
			target = " [TARGET]"
		}
		fmt.Fprintf(&b, "| `%s %s%s` | %s | %s |\n", approval.DefaultPrefix, v.Verb, target, v.Does, who[v.Class])
	}
	return b.String()
}

func TestTheDocumentHasTheCommandsOfTheParser(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(approvalsDocument)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "<!-- verbs -->\n")
	_, tail, closed := strings.Cut(rest, "<!-- /verbs -->")
	if !ok || !closed {
		t.Fatal("the document has no place for the table")
	}
	want := head + "<!-- verbs -->\n" + verbsTable() + "<!-- /verbs -->" + tail
	switch {
	case want == string(text):
	case flag.Lookup("update").Value.String() == "true":
		if err := os.WriteFile(approvalsDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the table of docs/approvals.md is not the parser's; run the test with -update")
	}
}

func TestThePolicyOfTheDocumentIsValidAndTheDefaultOne(t *testing.T) {
	t.Parallel()
	blocks := page(t, "approvals.md").blocks("yaml")
	blocks = slices.DeleteFunc(blocks, func(b string) bool { return !strings.HasPrefix(b, "groups:") })
	if len(blocks) != 1 {
		t.Fatalf("%d policies", len(blocks))
	}
	got, err := approval.ParsePolicy([]byte(blocks[0]))
	if err != nil {
		t.Fatal(err)
	}
	want := approval.Defaults()
	want.Groups = got.Groups
	if got.Hash() != want.Hash() {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
