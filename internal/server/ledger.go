package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Limits of a ledger, which has to fit the 1 MiB that a ConfigMap can hold.
const (
	ledgerKeys    = 10_000
	ledgerKeySize = 8 // bytes of each: two of so few are the same once in 10^15 deliveries
	ledgerBytes   = 900 << 10
)

var errLedgerFull = errors.New("the changes that wait for a look are more than a ConfigMap can hold")

// ledger is the document of a Shared store. The keys are a ring, oldest first; the pending ones are whole. As text it is
// one line of JSON, and then the keys, bare.
type ledger struct {
	Mark    uint64    `json:"mark"` // of the last delivery
	Pending []Pending `json:"pending"`
	keys    []uint64
}

func parseLedger(text []byte) (ledger, error) {
	var l ledger
	if len(text) == 0 {
		return l, nil
	}
	head, ring, found := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(head, &l); err != nil || !found || len(ring)%ledgerKeySize != 0 {
		return ledger{}, errors.New("what is stored is damaged; delete the ConfigMap to start over")
	}
	for chunk := range slices.Chunk(ring, ledgerKeySize) {
		l.keys = append(l.keys, binary.BigEndian.Uint64(chunk))
	}
	return l, nil
}

func (l *ledger) render() ([]byte, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if size := len(text) + 1 + len(l.keys)*ledgerKeySize; size > ledgerBytes {
		return nil, fmt.Errorf("%w: %d bytes", errLedgerFull, size)
	}
	text = append(text, '\n')
	for _, key := range l.keys {
		text = binary.BigEndian.AppendUint64(text, key)
	}
	return text, nil
}

// apply does what a batch asks for, and tells whether that changes anything.
func (l *ledger) apply(b Batch) (receipts []Receipt, changed bool) {
	at := make(map[string]int, len(l.Pending))
	for i, p := range l.Pending {
		at[p.Subject.key()] = i
	}
	for _, p := range b.Done {
		if i, found := at[p.Subject.key()]; found && l.Pending[i].Mark <= p.Mark {
			l.Pending[i].Mark = 0 // no delivery has this one; removed below
			changed = true
		}
	}
	seen := make(map[uint64]bool, len(l.keys))
	for _, key := range l.keys {
		seen[key] = true
	}
	receipts = make([]Receipt, len(b.Add))
	for i, d := range b.Add {
		key := short(d.Key)
		if seen[key] {
			continue
		}
		seen[key], changed = true, true
		l.keys = append(l.keys, key)
		receipts[i] = Receipt{New: true, Pending: l.add(d, at)}
	}
	l.Pending = slices.DeleteFunc(l.Pending, func(p Pending) bool { return p.Mark == 0 })
	l.keys = l.keys[max(0, len(l.keys)-ledgerKeys):]
	return receipts, changed
}

func (l *ledger) add(d Delivery, at map[string]int) Pending {
	l.Mark++
	i, found := at[d.Subject.key()]
	if !found {
		i = len(l.Pending)
		at[d.Subject.key()] = i
		l.Pending = append(l.Pending, Pending{})
	}
	p := &l.Pending[i]
	if p.Mark == 0 {
		p.Since = d.At
	}
	p.Subject, p.Mark = d.Subject, l.Mark
	return *p
}

// short is the beginning of a key, which is the hexadecimal text of a SHA-256.
func short(key string) uint64 {
	n, _ := strconv.ParseUint(key[:min(len(key), 2*ledgerKeySize)], 16, 64) // 0 is a key too
	return n
}
