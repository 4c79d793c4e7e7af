// Package csi_descriptor compares csi/csi.proto with the released descriptor of
// the Container Storage Interface: every service, method, message, field, enum,
// value, reserved range and option, by name. Only the file option go_package may
// differ: we generate no Go code.
package csi_descriptor

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The file that `protoc --descriptor_set_out` made; the run script sets it.
const descriptorVariable = "CSI_DESCRIPTOR_SET"

const released = "released"
const ours = "ours"

// What is not compared, and why.
var ignored = map[string]bool{
	"options.go_package": true, // names a Go package; we have none
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

func releasedFile() *descriptorpb.FileDescriptorProto {
	return protodesc.ToFileDescriptorProto(csi.File_csi_proto)
}

func ourFile(t *testing.T) *descriptorpb.FileDescriptorProto {
	t.Helper()
	path := os.Getenv(descriptorVariable)
	if path == "" {
		t.Fatalf("%s is not set; start this through the run script", descriptorVariable)
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

func TestOurDescriptorEqualsTheReleasedOne(t *testing.T) {
	want := factsOf(releasedFile())
	got := factsOf(ourFile(t))
	for _, line := range differences(want, got) {
		t.Error(line)
	}
	kinds := map[string]int{}
	for path := range want {
		for _, kind := range []string{"message_type", "nested_type", "field", "enum_type",
			"value", "service", "method", "extension"} {
			if strings.HasSuffix(path, "]") &&
				strings.HasPrefix(path[strings.LastIndex(path, ".")+1:], kind+"[") {
				kinds[kind]++
			}
		}
	}
	t.Logf("compared %d facts of %d services, %d methods, %d messages, %d fields, "+
		"%d enums, %d enum values, %d extensions", len(want), kinds["service"],
		kinds["method"], kinds["message_type"]+kinds["nested_type"], kinds["field"],
		kinds["enum_type"], kinds["value"], kinds["extension"])
	// A comparison of nearly nothing would pass as well.
	if kinds["service"] != 5 || kinds["field"] < 200 || len(want) < 1000 {
		t.Errorf("the released descriptor has too few facts: %d", len(want))
	}
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

// Each kind of deviation is seen: a comparison that overlooks one is worth little.
func TestEachKindOfDeviationIsSeen(t *testing.T) {
	type file = descriptorpb.FileDescriptorProto
	for name, deviate := range map[string]func(*file){
		"a field's number": func(f *file) {
			message(f, "CreateVolumeRequest").Field[0].Number = proto.Int32(99)
		},
		"a field's type": func(f *file) {
			message(f, "CapacityRange").Field[0].Type =
				descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum()
		},
		"a field's name": func(f *file) {
			message(f, "Volume").Field[1].Name = proto.String("id")
		},
		"a secret that is none": func(f *file) {
			for _, field := range message(f, "DeleteVolumeRequest").Field {
				field.Options = nil
			}
		},
		"a missing field": func(f *file) {
			m := message(f, "NodeGetInfoResponse")
			m.Field = m.Field[:1]
		},
		"an extra field": func(f *file) {
			m := message(f, "ProbeRequest")
			m.Field = append(m.Field, &descriptorpb.FieldDescriptorProto{
				Name: proto.String("extra")})
		},
		"a lost alpha mark": func(f *file) {
			message(f, "VolumeHealth").Options = nil
		},
		"a number no longer reserved": func(f *file) {
			message(f, "NodeGetVolumeStatsResponse").ReservedRange = nil
		},
		"an enum value's number": func(f *file) {
			f.EnumType[0].Value[1].Number = proto.Int32(7)
		},
		"a method's response": func(f *file) {
			f.Service[0].Method[0].OutputType = proto.String(".csi.v1.ProbeResponse")
		},
		"a method that no longer streams": func(f *file) {
			for _, service := range f.Service {
				for _, method := range service.Method {
					method.ServerStreaming = nil
				}
			}
		},
		"a missing service": func(f *file) { f.Service = f.Service[1:] },
		"another package":   func(f *file) { f.Package = proto.String("csi.v0") },
		"an extension's number": func(f *file) {
			f.Extension[0].Number = proto.Int32(2000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := proto.Clone(releasedFile()).(*file)
			deviate(changed)
			if len(differences(factsOf(releasedFile()), factsOf(changed))) == 0 {
				t.Error("not seen")
			}
		})
	}
}
