# units.gp - a figure of every unit or layer, a line for each variant; one panel, or two side by side, in a column one
# below the other.  Lines: median over the seeds; bands: least to greatest.  On a logarithmic axis zero, and what is too
# small to show, stands on a floor of its own below a break.
load 'style.gp'
NAME = own_name(ARG0)
KEY_HEIGHT = key_height(KEY_ROWS)             # inches
COLUMNS = PAGE eq '3.4in' ? 1 : PANELS
ROWS = PANELS/COLUMNS
WIDTH = PAGE eq '3.4in' ? 3.4 : PAGE eq '6.6in' ? 6.6 : PAGE eq 'slide' ? (PANELS == 1 ? 9 : 10.4) : PANELS == 1 ? 6.6 : 8.8
PANEL_WIDTH = WIDTH/real(COLUMNS)
GRAPH_HEIGHT = PAGE eq '3.4in' ? 1.8 : PAGE eq '6.6in' ? 2.1 : PAGE eq 'slide' ? 3.2 : 2.65
HEAD = S*0.55                                 # above a panel's graph
FOOT = S*0.55                                 # below it
TOP = TITLE eq '' ? 0 : S*0.25
HEIGHT = TOP + ROWS*(HEAD + GRAPH_HEIGHT + FOOT) + KEY_HEIGHT
FLOOR = FLOOR_LABEL eq '' ? Y_MIN : Y_MIN*(Y_MIN/Y_MAX)**0.1
Y_LOW = FLOOR_LABEL eq '' ? Y_MIN : Y_MIN*(Y_MIN/Y_MAX)**0.15
lift(y) = Y_LOG && y < Y_MIN ? FLOOR : y
right_(inches) = ((p - 1) % COLUMNS + inches/PANEL_WIDTH)/COLUMNS      # from the panel's left edge, as part of the picture
down(inches) = 1 - (TOP + (p - 1)/COLUMNS*(HEAD + GRAPH_HEIGHT + FOOT) + HEAD + inches)/HEIGHT     # from the top of its graph
heading(format) = format ne 'dumb' ? TITLE : TITLE.(TITLE eq '' ? '' : ': ').Y_LABEL     # there no text is turned

do for [FORMAT in FORMATS] {
    eval terminal(FORMAT, WIDTH, HEIGHT)
    eval picture(FORMAT)
    set multiplot
    set xrange [X_MIN:X_MAX]
    set xtics X_STEP
    set yrange [Y_LOW:Y_MAX]
    if (Y_LOG) { set logscale y 10 }
    set ytics ()
    if (Y_LOG && Y_MAX/Y_MIN < 1e8) { eval minor_tics('y', Y_MIN, Y_MAX) }
    do for [t in Y_TICS] { set ytics add (power_label(t + 0) t + 0) }
    if (FLOOR_LABEL ne '') {
        set ytics add (FLOOR_LABEL FLOOR)
        set arrow 9 from graph 0, first sqrt(FLOOR*Y_MIN) to graph 1, first sqrt(FLOOR*Y_MIN) nohead linetype 3 linewidth 0.6 linecolor rgb '#808080'
    }
    if (FORMAT eq 'dumb') { unset grid } else { set grid xtics ytics }
    do for [k = 2:words(STAGES) - 1] {
        set arrow 10 + k from first word(STAGES, k) + 0, graph 0 to first word(STAGES, k) + 0, graph 1 nohead back linetype 1 linewidth 0.8 linecolor rgb '#a0a0a0'
    }
    do for [p = 1:PANELS] {
        set lmargin at screen right_(S*0.92)
        set rmargin at screen right_(PANEL_WIDTH - S*0.2)
        set tmargin at screen down(0)
        set bmargin at screen down(GRAPH_HEIGHT)
        if (p == 1) { set label 1 heading(FORMAT) at screen 0.5, screen 1 - S*0.17/HEIGHT center } else { unset label 1 }
        set label 2 X_LABEL at graph 0.5, screen down(GRAPH_HEIGHT + S*0.38) center
        set label 3 (FORMAT eq 'dumb' ? '' : Y_LABEL) at screen right_(S*0.14), graph 0.5 center rotate by 90
        set label 4 PANEL[p] at graph 0, screen down(-S*0.39) left
        do for [k = 1:words(STAGES) - 1] {
            narrow = k > 1 && (PANEL_WIDTH - S*1.12)/(words(STAGES) - 1) < S*0.6
            stage = PANEL[p] eq '(b) by size' ? '' : sprintf(narrow ? '%d' : 'stage %d', k)
            set label 4 + k stage at first (word(STAGES, k) + word(STAGES, k + 1))/2., screen down(-S*0.12) center font SMALL_FONT textcolor rgb '#606060'
        }
        if (PANEL[p] eq '(b) by size') { do for [k = 2:words(STAGES) - 1] { unset arrow 10 + k } }
        if (p == 1 && !drawn(FORMAT)) { eval key(S*0.92/WIDTH, KEY_HEIGHT/HEIGHT, KEY_ROWS) } else { unset key }
        parts = ''
        do for [i = 1 + (p - 1)*LINES:p*LINES] {
            if (LINE[i] ne '' && FORMAT ne 'dumb') { parts = parts.sprintf("LINE[%d] using 'at':(lift(column('low'))):(lift(column('high'))) with filledcurves linecolor rgb '%s' notitle, ", i, color(STYLE[i])) }
        }
        do for [j = 1:LINES] {
            i = LINES*p - j + 1                # the baseline last: on top
            type = FORMAT eq 'dumb' ? 1 + (i - 1) % LINES % 7 : dash(STYLE[i])
            if (LINE[i] ne '') { parts = parts.sprintf("LINE[%d] using 'at':(lift(column('value'))) with lines %s linecolor rgb '%s' notitle, ", i, look(type, STYLE[i] == 0 ? 1.6 : 1.1), color(STYLE[i])) }
        }
        do for [i = 1:LINES] {
            type = FORMAT eq 'dumb' ? 1 + (i - 1) % LINES % 7 : dash(STYLE[i])
            if (p == 1 && drawn(FORMAT)) {
                eval name(i, LINES, KEY_ROWS, S*0.92, sprintf('LABEL[%d]', i), colored(STYLE[i], type, STYLE[i] == 0 ? 1.6 : 1.1))
            } else {
                unset arrow 1000 + i
                unset label 1000 + i
            }
            if (p == 1) { parts = parts.entry(sprintf('LABEL[%d]', i), STYLE[i], type, STYLE[i] == 0 ? 1.6 : 1.1) }
        }
        eval 'plot '.parts.'NaN notitle'
    }
    unset multiplot
    set output
}
