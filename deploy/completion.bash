# telltale in bash: telltale completion bash > ~/.local/share/bash-completion/completions/telltale
_telltale() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        :files) compopt -o default; return ;;
        :folders) compopt -o dirnames; return ;;
        *) COMPREPLY+=("$(printf %q "${line%%$'\t'*}")") ;;
        esac
    done < <("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _telltale telltale
