# bash completion of skiplab: the program itself says what may stand next (core/cli/reference.h).
_skiplab() {
    local line=${COMP_LINE:0:COMP_POINT} words word about
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
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
