// Package descriptors compares the protocols that we have authored with the
// released descriptors: every service, method, message, field, enum, value,
// reserved range and option, by name. Only the file's own name and its option
// go_package may differ: we generate no Go code.
package descriptors

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

const released = "released"
const ours = "ours"

// What is not compared, and why.
var ignored = map[string]bool{
	"options.go_package": true, // names a Go package; we have none
	"name":               true, // a path in somebody's source tree
	"source_code_info":   true, // positions and comments
}

// flatten turns a descriptor into "path = value" pairs. Elements of a list that
// have a name stand under it, so that the order of declarations does not count.
func flatten(prefix string, message protoreflect.Message,
	facts map[string]string) {
	message.Range(func(field protoreflect.FieldDescriptor,
		value protoreflect.Value) bool {
		path := prefix + string(field.Name())
		if field.IsExtension() {
			path = prefix + "(" + string(field.FullName()) + ")"
		}
		switch {
		case ignored[path]:
		case field.IsList():
			list := value.List()
			for i := 0; i < list.Len(); i++ {
				element := fmt.Sprintf("%s[%s]", path, elementName(list.Get(i), field, i))
				flattenValue(element, field, list.Get(i), facts)
			}
		default:
			flattenValue(path, field, value, facts)
		}
		return true
	})
	if unknown := message.GetUnknown(); len(unknown) > 0 {
		facts[prefix+"<unknown>"] = fmt.Sprintf("%x", []byte(unknown))
	}
}

func flattenValue(path string, field protoreflect.FieldDescriptor,
	value protoreflect.Value, facts map[string]string) {
	if field.Message() == nil {
		facts[path] = value.String()
		return
	}
	// An empty message (a method without options, say) is a fact as well.
	facts[path] = "present"
	flatten(path+".", value.Message(), facts)
}

func elementName(value protoreflect.Value, field protoreflect.FieldDescriptor,
	index int) string {
	if field.Message() != nil {
		if name := field.Message().Fields().ByName("name"); name != nil {
			return value.Message().Get(name).String()
		}
	}
	return fmt.Sprint(index)
}

func factsOf(file *descriptorpb.FileDescriptorProto) map[string]string {
	facts := map[string]string{}
	flatten("", file.ProtoReflect(), facts)
	delete(facts, "options") // whether the file has any: go_package is the only one
	return facts
}

// differences has one line for each fact that the two do not share.
func differences(want, got map[string]string) []string {
	var lines []string
	for path, value := range want {
		other, there := got[path]
		if !there {
			lines = append(lines, fmt.Sprintf("%s: only %s (%s)", path, released, value))
		} else if other != value {
			lines = append(lines, fmt.Sprintf("%s: %s %s, %s %s", path, released, value,
				ours, other))
		}
	}
	for path, value := range got {
		if _, there := want[path]; !there {
			lines = append(lines, fmt.Sprintf("%s: only %s (%s)", path, ours, value))
		}
	}
	sort.Strings(lines)
	return lines
}

// ourFile is the descriptor that `protoc --descriptor_set_out` made; the run
// script sets the variable.
func ourFile(t *testing.T, variable string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set; start this through the run script", variable)
	}
	bytes, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(bytes, set); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(set.File) != 1 {
		t.Fatalf("%s holds %d files, not 1", path, len(set.File))
	}
	return set.File[0]
}

// countKinds tells how many services, methods, fields, ... the facts are about.
func countKinds(facts map[string]string) map[string]int {
	kinds := map[string]int{}
	for path := range facts {
		for _, kind := range []string{"message_type", "nested_type", "field", "enum_type",
			"value", "service", "method", "extension"} {
			if strings.HasSuffix(path, "]") &&
				strings.HasPrefix(path[strings.LastIndex(path, ".")+1:], kind+"[") {
				kinds[kind]++
			}
		}
	}
	return kinds
}

func message(file *descriptorpb.FileDescriptorProto,
	name string) *descriptorpb.DescriptorProto {
	for _, message := range file.MessageType {
		if message.GetName() == name {
			return message
		}
	}
	panic("no message " + name)
}
