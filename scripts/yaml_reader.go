// Read YAML texts as kubectl does, for a test that compares katib/yaml_reader.py with it. Takes a
// JSON list of texts on stdin and prints the list of their values, "refused" for an error. In an
// empty folder:
//
//	go mod init reader && go get sigs.k8s.io/yaml@v1.6.0
//	go run yaml_reader.go
package main

import (
	"encoding/json"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		panic(err)
	}
	values := make([]any, len(texts))
	for i, text := range texts {
		if converted, err := yaml.YAMLToJSON([]byte(text)); err != nil {
			values[i] = "refused"
		} else {
			values[i] = json.RawMessage(converted)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(values); err != nil {
		panic(err)
	}
}
