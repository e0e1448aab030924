# curves.gp - one metric of all variants in one picture.  Lines: median over the seeds; bands: minimum to maximum;
# crosses: where a run diverged or failed.
load 'style.gp'
NAME = own_name(ARG0)
KEY_HEIGHT = key_height(KEY_ROWS)        # inches
TITLE_HEIGHT = S*(TITLE eq '' ? 0.15 : 0.35)
WIDTH = PAGE eq '3.4in' ? 3.4 : PAGE eq 'slide' ? 9 : 6.6
HEIGHT = (PAGE eq '3.4in' ? 2.4 : PAGE eq 'slide' ? 4.4 : 3.8) + KEY_HEIGHT + TITLE_HEIGHT
heading(format) = format ne 'dumb' ? TITLE : TITLE.(TITLE eq '' ? '' : ': ').Y_LABEL     # there no text is turned

do for [FORMAT in FORMATS] {
    eval terminal(FORMAT, WIDTH, HEIGHT)
    eval picture(FORMAT)
    set lmargin at screen S*0.75/WIDTH
    set rmargin at screen 1 - S*0.2/WIDTH
    line_up = FORMAT eq 'dumb' ? 1.0/TEXT_ROWS : 0             # of text; few lines leave the picture no margins of their own
    set tmargin at screen 1 - (TITLE_HEIGHT/HEIGHT > 2*line_up ? TITLE_HEIGHT/HEIGHT : 2*line_up)
    set bmargin at screen KEY_HEIGHT/HEIGHT + (S*0.55/HEIGHT > 3*line_up ? S*0.55/HEIGHT : 3*line_up)
    set xrange [X_MIN/X_UNIT:X_MAX/X_UNIT]
    set yrange [Y_MIN:Y_MAX]
    if (Y_LOG) { set logscale y 10 }
    set xtics X_STEP/X_UNIT
    set ytics ()
    if (Y_LOG) { eval minor_tics('y', Y_MIN, Y_MAX) }
    do for [t in Y_TICS] { set ytics add (sprintf('%g', t + 0) t + 0) }
    if (FORMAT eq 'dumb') { unset grid } else { set grid xtics ytics }
    set label 1 heading(FORMAT) at screen 0.5, screen 1 - (S*0.17/HEIGHT > 0.6*line_up ? S*0.17/HEIGHT : 0.6*line_up) center
    set label 2 X_LABEL at graph 0.5, screen KEY_HEIGHT/HEIGHT + (S*0.17/HEIGHT > 0.8*line_up ? S*0.17/HEIGHT : 0.8*line_up) center
    set label 3 (FORMAT eq 'dumb' ? '' : Y_LABEL) at screen S*0.14/WIDTH, graph 0.5 center rotate by 90
    if (drawn(FORMAT)) { unset key } else { eval key(S*0.7/WIDTH, KEY_HEIGHT/HEIGHT, KEY_ROWS) }
    bands = ''
    lines = ''
    entries = ''
    do for [i = 1:CURVES] {
        width = STYLE[i] == 0 ? 1.6 : 1.1
        type = FORMAT eq 'dumb' ? 1 + (i - 1) % 7 : dash(STYLE[i])      # there a sign for each of 7 line types
        bands = bands.(FORMAT eq 'dumb' ? '' : band(BAND[i], 'x1y1', STYLE[i], Y_MIN, Y_MAX))
        lines = lines.line(CURVE[i], 'x1y1', STYLE[i], type, width).crosses(STOPS[i], 'x1y1', STYLE[i])
        if (drawn(FORMAT)) { eval name(i, CURVES, KEY_ROWS, S*0.75, sprintf('LABEL[%d]', i), colored(STYLE[i], type, width)) }
        entries = entries.entry(sprintf('LABEL[%d]', i), STYLE[i], type, width)
    }
    eval 'plot '.bands.lines.entries.'NaN notitle'
    set output
}
