# bash completion of skiplab: the program itself says what may stand next (core/cli/reference.h).

# Parts $1 into words[] as the shell would: at blanks that are neither quoted nor escaped.
_skiplab_words() {
    local rest=$1 quote= c
    words=("")
    while [[ $rest ]]; do
        c=${rest:0:1} rest=${rest:1}
        if [[ $c == '\' && $quote != "'" ]]; then
            words[-1]+=${rest:0:1} rest=${rest:1}
        elif [[ $c == "$quote" ]]; then
            quote=
        elif [[ ! $quote && $c == [\"\'] ]]; then
            quote=$c
        elif [[ ! $quote && $c == [[:space:]] ]]; then
            [[ ${words[-1]} ]] && words+=("")
        else
            words[-1]+=$c
        fi
    done
}

_skiplab() {
    local words word about
    _skiplab_words "${COMP_LINE:0:COMP_POINT}"
    local current=${words[-1]}
    # What bash takes for the word begins after the last '=' or ':'; the program sees all of it.
    local before=
    [[ $current == *[=:]* ]] && before=${current%"${current##*[=:]}"}
    local rest=${current#"$before"}
    COMPREPLY=()
    while IFS=$'\t' read -r word about; do
        case $word in
            :files)
                compopt -o filenames
                while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$rest"; compgen -f -X "!$about" -- "$rest") ;;
            :folders)
                compopt -o filenames
                while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$rest") ;;
            *=)
                compopt -o nospace
                COMPREPLY+=("${word#"$before"}") ;;
            *)
                COMPREPLY+=("${word#"$before"}") ;;
        esac
    done < <("${words[0]}" help --complete "${words[@]:1}" 2>/dev/null)
}
complete -F _skiplab skiplab
