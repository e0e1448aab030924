# panels.gp - variants against the baseline, a panel each: training loss dashed on the left, logarithmic axis, the
# other metric solid on the right axis.  Lines: median over the seeds; bands: minimum to maximum; crosses: where a
# run diverged or failed.
load 'style.gp'
NAME = own_name(ARG0)
if (PANELS > 8) DPI = 0.7*DPI              # large enough as it is
PANEL_WIDTH = PAGE eq '3.4in' ? 3.4 : PAGE eq '6.6in' ? 6.6/COLUMNS : PAGE eq 'slide' ? 5.2 : PANELS == 1 ? 5.0 : 4.6        # inches
TEXT_HEIGHT = S*(0.17*TITLE_LINES + (LEGEND ne 'below' ? 0.12 : TITLE_LINES == 0 ? 0.4 : 0.45))
PANEL_HEIGHT = TEXT_HEIGHT + (PAGE eq '3.4in' || PAGE eq '6.6in' ? 2.1 : PANELS == 1 ? 3.0 : 2.6)
right_(inches) = (c + inches/PANEL_WIDTH) / COLUMNS          # from the panel's left edge, as part of the picture
up(inches) = 1 - (r + 1 - inches/PANEL_HEIGHT) / ROWS        # from its lower edge

do for [FORMAT in FORMATS] {
    eval terminal(FORMAT, COLUMNS*PANEL_WIDTH, ROWS*PANEL_HEIGHT)
    eval picture(FORMAT)
    set multiplot
    set xrange [X_MIN/X_UNIT:X_MAX/X_UNIT]
    set yrange [LEFT_MIN:LEFT_MAX]
    set logscale y 10
    set xtics X_STEP/X_UNIT
    set ytics ()
    eval minor_tics('y', LEFT_MIN, LEFT_MAX)
    do for [t in LEFT_TICS] { set ytics add (sprintf('%g', t + 0) t + 0) }
    set grid xtics ytics
    if (LEGEND eq 'below') { set key at graph 0,1.02 left bottom vertical Left reverse samplen 2.2 spacing 1.05 font SMALL_FONT } else { eval key(0, 0, 2) }
    do for [p = 1:PANELS] {
        c = (p - 1) % COLUMNS
        r = (p - 1) / COLUMNS
        set lmargin at screen right_(S*0.72)
        set rmargin at screen right_(PANEL_WIDTH - S*0.62)
        set tmargin at screen up(PANEL_HEIGHT - TEXT_HEIGHT)
        set bmargin at screen up(S*0.52)
        set y2range [RIGHT_MIN[p]:RIGHT_MAX[p]]
        set y2tics RIGHT_MIN[p], RIGHT_STEP[p]
        middle = up((S*0.52 + PANEL_HEIGHT - TEXT_HEIGHT) / 2)
        set label 1 TITLE[p] at screen right_(S*0.15), screen up(PANEL_HEIGHT - S*0.14) left
        set label 2 X_LABEL at screen right_((S*0.72 + PANEL_WIDTH - S*0.62) / 2), screen up(S*0.17) center
        set label 3 LEFT_LABEL.' (dashed)' at screen right_(S*0.14), screen middle center rotate by 90
        set label 4 RIGHT_LABEL.' (solid)' at screen right_(PANEL_WIDTH - S*0.12), screen middle center rotate by 90
        eval 'plot '.band(BASE_LEFT_BAND, 'x1y1', 0, LEFT_MIN, LEFT_MAX) \
            .band(BASE_RIGHT_BAND, 'x1y2', 0, RIGHT_MIN[p], RIGHT_MAX[p]) \
            .band(LEFT_BAND[p], 'x1y1', STYLE[p], LEFT_MIN, LEFT_MAX) \
            .band(RIGHT_BAND[p], 'x1y2', STYLE[p], RIGHT_MIN[p], RIGHT_MAX[p]) \
            .line(BASE_LEFT, 'x1y1', 0, 2, 0.8).line(LEFT[p], 'x1y1', STYLE[p], 2, 0.8) \
            .line(BASE_RIGHT, 'x1y2', 0, 1, 1.2).line(RIGHT[p], 'x1y2', STYLE[p], 1, 1.2) \
            .crosses(BASE_LEFT_STOPS, 'x1y1', 0).crosses(BASE_RIGHT_STOPS, 'x1y2', 0) \
            .crosses(LEFT_STOPS[p], 'x1y1', STYLE[p]).crosses(RIGHT_STOPS[p], 'x1y2', STYLE[p]) \
            .entry(BASE_LABEL eq '' ? '' : 'BASE_LABEL', 0, 1, 1.2).entry('LABEL[p]', STYLE[p], 1, 1.2).'NaN notitle'
    }
    unset multiplot
    set output
}
