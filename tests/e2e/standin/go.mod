module famfs.io/csi/tests/e2e/standin

go 1.25.0
