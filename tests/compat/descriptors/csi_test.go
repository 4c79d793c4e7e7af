package descriptors

import (
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

func releasedFile() *descriptorpb.FileDescriptorProto {
	return protodesc.ToFileDescriptorProto(csi.File_csi_proto)
}

func TestOurDescriptorEqualsTheReleasedOne(t *testing.T) {
	want := factsOf(releasedFile())
	got := factsOf(ourFile(t, "CSI_DESCRIPTOR_SET"))
	for _, line := range differences(want, got) {
		t.Error(line)
	}
	kinds := countKinds(want)
	t.Logf("compared %d facts of %d services, %d methods, %d messages, %d fields, "+
		"%d enums, %d enum values, %d extensions", len(want), kinds["service"],
		kinds["method"], kinds["message_type"]+kinds["nested_type"], kinds["field"],
		kinds["enum_type"], kinds["value"], kinds["extension"])
	// A comparison of nearly nothing would pass as well.
	if kinds["service"] != 5 || kinds["field"] < 200 || len(want) < 1000 {
		t.Errorf("the released descriptor has too few facts: %d", len(want))
	}
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
