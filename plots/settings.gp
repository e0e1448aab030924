# settings.gp - final values against a setting: a line for what else is the same.  Points: median over the seeds, in the
# colours that the variants have in all figures; bars: least to greatest; hollow: not finished.
load 'style.gp'
NAME = own_name(ARG0)
KEY_ENTRIES = LINES + (BASE_LABEL eq '' ? 0 : 1)
KEY_HEIGHT = key_height(KEY_ENTRIES)        # inches
TITLE_HEIGHT = S*(TITLE eq '' ? 0.15 : 0.35)
WIDTH = PAGE eq '3.4in' ? 3.4 : PAGE eq '6.6in' ? 6.6 : PAGE eq 'slide' ? 9 : 5.4
HEIGHT = (PAGE eq '3.4in' ? 2.2 : PAGE eq 'slide' ? 4.4 : 3.2) + KEY_HEIGHT + TITLE_HEIGHT
point(i) = word('7 5 9 13 11 15 7 5 9 13 11 15', i) + 0          # filled shapes; the hollow one is the number before
INK = '#606060'
heading(format) = format ne 'dumb' ? TITLE : TITLE.(TITLE eq '' ? '' : ': ').Y_LABEL     # there no text is turned

do for [FORMAT in FORMATS] {
    eval terminal(FORMAT, WIDTH, HEIGHT)
    eval picture(FORMAT)
    set lmargin at screen S*0.75/WIDTH
    set rmargin at screen 1 - S*0.2/WIDTH
    set tmargin at screen 1 - TITLE_HEIGHT/HEIGHT
    set bmargin at screen (KEY_HEIGHT + S*0.55)/HEIGHT
    if (X_LOG) { set logscale x 10 }
    set xrange [X_MIN:X_MAX]
    set yrange [0:Y_MAX]
    set xtics ()
    do for [t in X_TICS] { set xtics add (t t + 0) }
    set ytics 0, Y_STEP
    if (FORMAT eq 'dumb') { unset grid } else { set grid xtics ytics }
    set label 1 heading(FORMAT) at screen 0.5, screen 1 - S*0.17/HEIGHT center
    set label 2 X_LABEL at graph 0.5, screen (KEY_HEIGHT + S*0.17)/HEIGHT center
    set label 3 (FORMAT eq 'dumb' ? '' : Y_LABEL) at screen S*0.14/WIDTH, graph 0.5 center rotate by 90
    if (drawn(FORMAT)) { unset key } else { eval key(S*0.7/WIDTH, KEY_HEIGHT/HEIGHT, KEY_ENTRIES) }
    if (drawn(FORMAT) && BASE_LABEL ne '') { eval name(1, KEY_ENTRIES, KEY_ENTRIES, S*0.75, 'BASE_LABEL', colored(0, 1, 1.4)) }
    if (BASE_LABEL ne '') { set object 1 rectangle from graph 0, first BASE_LOW to graph 1, first BASE_HIGH fillcolor rgb color(0) fillstyle transparent solid 0.12 noborder }
    parts = BASE_LABEL eq '' ? '' : sprintf("%g with lines linetype 1 linewidth 1.4 linecolor rgb '%s' title BASE_LABEL, ", BASE_MEDIAN, color(0))
    do for [i = 1:LINES] {
        parts = parts.sprintf("LINE[%d] using 'value':'median' with lines linetype %d linewidth 0.9 linecolor rgb INK notitle, ", i, 1 + (i - 1) % 7)
        if (FORMAT ne 'dumb') { parts = parts.sprintf("LINE[%d] using 'value':'median':'low':'high':(rgb(column('style'))) with yerrorbars pointtype 0 dashtype solid linewidth 1 linecolor rgb variable notitle, ", i) }
        do for [hollow = 0:1] {
            parts = parts.sprintf("LINE[%d] using (column('unfinished') == %d ? column('value') : NaN):'median':(rgb(column('style'))) with points pointtype %d pointsize 0.8 linecolor rgb variable notitle, ", i, hollow, point(i) - hollow)
        }
        k = i + KEY_ENTRIES - LINES
        if (drawn(FORMAT)) {
            eval name(k, KEY_ENTRIES, KEY_ENTRIES, S*0.75, sprintf('LABEL[%d]', i), sprintf("%s linecolor rgb '%s'", look(1 + (i - 1) % 7, 0.9), INK))
            eval name_point(k, KEY_ENTRIES, KEY_ENTRIES, S*0.75, point(i), INK)
        }
        parts = parts.sprintf("keyentry with linespoints linetype %d linewidth 0.9 pointtype %d pointsize 0.8 linecolor rgb INK title LABEL[%d], ", 1 + (i - 1) % 7, point(i), i)
    }
    eval 'plot '.parts.'NaN notitle'
    unset object
    set output
}
