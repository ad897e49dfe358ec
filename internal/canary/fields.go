package canary

import (
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The types that read themselves from JSON and so cannot be walked.
var (
	timeType      = reflect.TypeFor[metav1.Time]()
	intOrString   = reflect.TypeFor[intstr.IntOrString]()
	fieldsV1Type  = reflect.TypeFor[metav1.FieldsV1]()
	anythingTypes = []reflect.Type{fieldsV1Type, reflect.TypeFor[any]()}
)

func opaque(t reflect.Type) bool { return t == timeType || t == intOrString || t == fieldsV1Type }

// field is a field of a struct as JSON has it.
type field struct {
	name string
	typ  reflect.Type
}

// fieldsOf returns the fields of a struct, with those of inlined structs, in order.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && strings.Contains(options, "inline"):
			fields = append(fields, fieldsOf(f.Type)...)
		case name != "":
			fields = append(fields, field{name: name, typ: f.Type})
		}
	}
	return fields
}
