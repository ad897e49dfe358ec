package e2e

// helmTool is the real helm, by which the chart of the server is rendered.
func helmTool() tool {
	return tool{name: "helm", module: "tools/helm", pkg: "helm.sh/helm/v4/cmd/helm"}
}
