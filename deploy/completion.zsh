#compdef telltale
# telltale in zsh: telltale completion zsh > a folder of $fpath, as _telltale
_telltale() {
    local line
    local -a found
    for line in "${(@f)$("${(Q)words[1]}" completion words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
        '') ;;
        :files) _files; return ;;
        :folders) _files -/; return ;;
        *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    _describe -V telltale found
}
if [[ ${funcstack[1]-} == _telltale ]]; then _telltale "$@"; else compdef _telltale telltale; fi
