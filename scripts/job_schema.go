// Print katib/lint/job_schema.json: the fields of a batch/v1 Job and their shapes, from the Go types
// that Katib's webhook converts a trial template to. Katib v0.19 is built with k8s.io/api v0.34.0. In
// an empty folder:
//
//	go mod init schema && go get k8s.io/api@v0.34.0 && go mod tidy
//	go run job_schema.go > job_schema.json
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
)

var types = map[string]map[string]string{}

func shape(t reflect.Type) string {
	switch t.String() {
	case "resource.Quantity", "intstr.IntOrString":
		return "quantity"
	case "v1.Time", "v1.MicroTime":
		return "string"
	case "v1.FieldsV1":
		return "any"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shape(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "[]" + shape(t.Elem())
	case reflect.Map:
		return "{}" + shape(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "integer"
	case reflect.Struct:
		path := strings.Split(t.PkgPath(), "/")
		name := path[len(path)-2] + "." + t.Name() // k8s.io/api/core/v1: core.Pod
		if _, seen := types[name]; !seen {
			types[name] = map[string]string{}
			collect(t, types[name])
		}
		return name
	}
	panic(t.String())
}

func collect(t reflect.Type, into map[string]string) {
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && strings.Contains(options, "inline") {
			collect(field.Type, into)
			continue
		}
		text := shape(field.Type)
		kind := field.Type.Kind()
		// Go leaves these out when they are empty.
		if strings.Contains(options, "omitempty") && kind != reflect.Pointer && kind != reflect.Struct {
			text += "?"
		}
		into[name] = text
	}
}

func main() {
	root := shape(reflect.TypeOf(batchv1.Job{}))
	names := slices.Sorted(maps.Keys(types))
	rows := make([]string, len(names))
	for i, name := range names {
		fields, _ := json.Marshal(types[name])
		rows[i] = fmt.Sprintf("  %q: %s", name, fields)
	}
	fmt.Printf("{\n \"root\": %q,\n \"types\": {\n%s\n }\n}\n", root, strings.Join(rows, ",\n"))
}
