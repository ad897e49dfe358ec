package metric

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"strconv"
	"time"
)

// fluxRow is one value of a table.
type fluxRow struct {
	point
	stop      time.Time // of the range()
	aggregate bool      // it has no time of its own, and is of the whole range
}

// fluxError is what the server says when a query fails after it had begun to answer.
type fluxError string

func (e fluxError) Error() string { return string(e) }

var errCSV = errors.New("not a table of values")

// parseFluxCSV reads annotated CSV, of which each table is one series: rows that begin with # describe the columns, then
// comes a header, then the values; where the columns change it starts over.
func parseFluxCSV(body []byte) ([][]fluxRow, error) {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord = -1 // the columns change between tables
	var (
		columns map[string]int
		tables  [][]fluxRow
		last    string
	)
	for described := false; ; {
		record, err := r.Read()
		switch {
		case errors.Is(err, io.EOF) && (columns != nil || len(bytes.TrimSpace(body)) == 0):
			return tables, nil
		case err != nil:
			return nil, errCSV
		case len(record[0]) > 0 && record[0][0] == '#':
			described = true
			continue
		case described || columns == nil:
			described, columns, last = false, header(record), ""
			continue
		}
		row, id, err := readFlux(columns, record)
		if err != nil {
			return nil, err
		}
		if len(tables) == 0 || id != last {
			tables = append(tables, nil)
		}
		last = id
		tables[len(tables)-1] = append(tables[len(tables)-1], row)
	}
}

func header(record []string) map[string]int {
	columns := make(map[string]int, len(record))
	for i, name := range record {
		columns[name] = i
	}
	return columns
}

// readFlux reads a row, and which table it is of.
func readFlux(columns map[string]int, record []string) (row fluxRow, table string, err error) {
	field := func(name string) (string, bool) {
		i, ok := columns[name]
		if !ok || i >= len(record) {
			return "", false
		}
		return record[i], true
	}
	if text, failed := field("error"); failed {
		return row, "", fluxError(text)
	}
	text, ok := field("_value")
	table, known := field("table")
	if !ok || !known {
		return row, "", errCSV
	}
	result, _ := field("result")
	row.value = math.NaN()
	if text != "" {
		if row.value, err = strconv.ParseFloat(text, 64); err != nil {
			return row, "", errCSV
		}
	}
	at := func(name string) time.Time {
		text, _ := field(name)
		t, _ := time.Parse(time.RFC3339Nano, text)
		return t
	}
	row.from, row.to, row.stop = at("_start"), at("_stop"), at("_stop")
	if t := at("_time"); !t.IsZero() {
		row.from, row.to = t, t
	} else {
		row.aggregate = true
	}
	if row.to.IsZero() {
		return row, "", errCSV // without any time nobody knows what it is a value of
	}
	return row, result + "\x00" + table, nil
}
