# Sourced by the checks that need Node.js.

# need_node MAJOR LOSS: installs node and npm where they are missing and that is possible, and else says what is lost.
need_node() {
	if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
		if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
			echo "installing node and npm"
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm >/dev/null
		else
			echo "node and npm are missing, and without them $2; install Node.js $1 or newer" >&2
			exit 1
		fi
	fi
	if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$1" ]; then
		echo "node is $(node --version), and without $1 or newer $2" >&2
		exit 1
	fi
}
