package report

import (
	"crypto/sha256"
	_ "embed" // for the template, the style and the script
	"encoding/base64"
	"html/template"
)

var (
	//go:embed board.html.tmpl
	boardPages string
	//go:embed board.css
	boardStyle string
	//go:embed board.js
	boardScript string

	boardTemplate = template.Must(parsePage("board", boardPages))
)

// boardPage is a whole page, around the part that changes: Index or Rollout.
type boardPage struct {
	Title   string
	Root    string // leads to the start page; empty on it
	Events  string // where the changes come from
	Style   template.CSS
	Script  template.JS
	Index   *boardIndex
	Rollout *boardRollout
}

func (p boardPage) render() ([]byte, error) {
	p.Style, p.Script = template.CSS(pageStyle+"\n"+boardStyle), template.JS(boardScript)
	return renderBoard("page", p)
}

// BoardPolicy returns the Content-Security-Policy of the pages of a board: their own style and script and nothing else, no
// frame around them, no request but for their own changes.
func BoardPolicy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageStyle+"\n"+boardStyle) + "; script-src " + hash(boardScript) +
		"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}
