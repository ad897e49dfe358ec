package workload_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// filler fills any API type with random values, seeded, so that a failure can be repeated.
type filler struct {
	*rand.Rand
	full       bool     // no field is left out
	quantities []string // notations to choose from
}

var words = []string{"podinfo", "podinfo-primary", "web", "app", "name", "app.kubernetes.io/name", "x", "TCP", "v1", "/", "Always"}

func (f filler) fill(v reflect.Value, depth int) {
	if special(f, v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if depth < 12 && (f.full || f.IntN(3) > 0) {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), depth+1)
		}
	case reflect.Slice:
		n := f.size()
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.size() {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString(words[f.IntN(len(words))])
			f.fill(value, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(words[f.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(f.full || f.IntN(2) == 0)
	case reflect.Int32, reflect.Int64, reflect.Int:
		v.SetInt(int64(1 + f.IntN(40)))
	case reflect.Uint8:
		v.SetUint(uint64(f.IntN(256)))
	default:
		panic(fmt.Sprintf("no random %s", v.Type()))
	}
}

func (f filler) size() int {
	if f.full {
		return 1
	}
	return f.IntN(3)
}

// special fills the types that are not what they look like.
func special(f filler, v reflect.Value) bool {
	switch value := v.Addr().Interface().(type) {
	case *resource.Quantity:
		*value = resource.MustParse(f.quantities[f.IntN(len(f.quantities))])
	case *intstr.IntOrString:
		*value = []intstr.IntOrString{intstr.FromInt32(8080), intstr.FromString("http")}[f.IntN(2)]
	case *metav1.Time, *metav1.FieldsV1, *[]corev1.EphemeralContainer, *[]metav1.ManagedFieldsEntry:
	default:
		return false
	}
	return true
}

// template returns a random pod template with the label that its Deployment selects by.
func (f filler) template(key, value string) corev1.PodTemplateSpec {
	var t corev1.PodTemplateSpec
	f.fill(reflect.ValueOf(&t.Spec).Elem(), 0)
	f.fill(reflect.ValueOf(&t.Labels).Elem(), 0)
	f.fill(reflect.ValueOf(&t.Annotations).Elem(), 0)
	t.Labels[key] = value
	return t
}

// leaf is one settable field of a value, with the path to it.
type leaf struct {
	path  string
	value reflect.Value
}

// leaves returns every field below v that holds a plain value.
func leaves(v reflect.Value, path string) []leaf {
	switch v.Addr().Interface().(type) {
	case *resource.Quantity, *intstr.IntOrString:
		return []leaf{{path, v}}
	case *metav1.Time:
		return nil
	}
	var all []leaf
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			all = leaves(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, leaves(v.Index(i), path+".*")...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			at := path + "." + name
			if name == "" {
				at = path
			}
			all = append(all, leaves(v.Field(i), at)...)
		}
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Uint8:
		all = append(all, leaf{path, v})
	}
	return all
}
