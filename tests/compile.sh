# A compiler's command, run by ccache in the folder of the source: where a project lies then changes no word of it.
#
# ccache takes paths below CCACHE_BASEDIR relative to the folder that it runs in.
absolute() { [[ $1 == /* ]] && printf %s "$1" || printf %s "$PWD/$1"; }
source=
words=()
while (($#)); do
    case $1 in
        -o | -MF) words+=("$1" "$(absolute "$2")") && shift ;;
        -c) source=$2 && words+=("$1" "$2") && shift ;;
        *) words+=("$1") ;;
    esac
    shift
done
[[ $source == /* ]] && cd "${source%/*}"
exec ccache "${words[@]}"
