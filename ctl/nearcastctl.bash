# SPDX-License-Identifier: BSD-2-Clause
# Completion of nearcastctl's words; backends' names come from the control plane, where one runs.
_nearcastctl() {
	local current=${COMP_WORDS[COMP_CWORD]} words=() word skip=no
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [ "$skip" = yes ]; then skip=no; continue; fi
		case $word in
		--socket | --timeout | --for | --comment | --service | --action | --object | --section | --reason | --rate | --packets | --to | --community | -w | --write | -c | --count | --seconds | --snap | --one-in | --expr) skip=yes ;;
		--*) ;;
		*) words+=("$word") ;;
		esac
	done
	local choices
	case "${words[*]}" in
	'') choices='status services backends vips bgp bfd workers ports drops attacks talkers lists signatures filters imports capture reload backend node list filter wait' ;;
	backend | node) choices='drain undrain' ;;
	list | filter) choices='add remove' ;;
	bgp) choices='peers peer listen routes explain flowspec blackhole announce withdraw release refresh shutdown open log monitors' ;;
	'bgp peer' | 'bgp routes' | 'bgp refresh' | 'bgp shutdown' | 'bgp open')
		choices=$(nearcastctl --json bgp 2>/dev/null | sed -n 's/.*"peer": "\(.*\)",*/\1/p')
		;;
	'bgp flowspec' | 'bgp blackhole') choices='announce withdraw' ;;
	'bgp explain') choices=$(nearcastctl --json vips 2>/dev/null | sed -n 's/.*"name": "\(.*\)",*/\1/p') ;;
	'list add '*) choices='drop allow limit' ;;
	wait) choices='dataplane generation settled established announced drained' ;;
	talkers) choices=$(nearcastctl --json services 2>/dev/null | sed -n 's/.*"name": "\(.*\)",*/\1/p') ;;
	backends) choices=$(nearcastctl --json backends 2>/dev/null | sed -n 's/.*"pool": "\(.*\)",*/\1/p' | sort -u) ;;
	'backend drain' | 'backend undrain')
		choices=$(nearcastctl --json backends 2>/dev/null |
			sed -n 's/.*"pool": "\(.*\)",*/\1/p; s/.*"name": "\(.*\)",*/\1/p' | paste -d/ - -)
		;;
	*) choices='' ;;
	esac
	case $current in
	-*) choices='--socket --json --watch --all --verbose --timeout --for --comment --service --action --object --section --no-wait --now --reason --follow --received --rate --packets --sample --to --community --anyway --dropped --passed --sampled --expr --one-in --write --count --seconds --snap --version --help' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}
complete -F _nearcastctl nearcastctl
