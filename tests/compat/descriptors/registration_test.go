package descriptors

import (
	"testing"

	"google.golang.org/protobuf/reflect/protodesc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func TestOurRegistrationEqualsTheReleasedOne(t *testing.T) {
	file := registration.File_staging_src_k8s_io_kubelet_pkg_apis_pluginregistration_v1_api_proto
	want := factsOf(protodesc.ToFileDescriptorProto(file))
	got := factsOf(ourFile(t, "REGISTRATION_DESCRIPTOR_SET"))
	for _, line := range differences(want, got) {
		t.Error(line)
	}
	kinds := countKinds(want)
	t.Logf("compared %d facts of %d services, %d methods, %d messages, %d fields",
		len(want), kinds["service"], kinds["method"], kinds["message_type"],
		kinds["field"])
	if kinds["service"] != 1 || kinds["method"] != 2 || kinds["field"] != 6 {
		t.Errorf("the released descriptor has other facts than expected: %d", len(want))
	}
}
