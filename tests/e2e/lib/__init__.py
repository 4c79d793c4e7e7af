"""What the cluster tests share: the cluster, the driver in it, pods and claims."""
