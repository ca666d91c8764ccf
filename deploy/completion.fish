# telltale in fish: telltale completion fish > ~/.config/fish/completions/telltale.fish
function __telltale_words
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program $before[1]
    set -e before[1]
    for line in ($program completion words -- $before $current 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $current
            case :folders
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c telltale -f -a '(__telltale_words)'
