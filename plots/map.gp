# map.gp - one figure of every unit over all of training, a panel for each variant: colour on a logarithmic scale, grey
# for exactly zero.
load 'style.gp'
NAME = own_name(ARG0)
if (PANELS > 8) DPI = 0.7*DPI              # large enough as it is
BAR_WIDTH = S*1.25                         # inches
WIDTH = PAGE eq '3.4in' ? 3.4 : PAGE eq '6.6in' ? 6.6 : PAGE eq 'slide' ? 9 : COLUMNS*2.5*(S > 1 ? S : 1) + BAR_WIDTH
PANEL_WIDTH = (WIDTH - BAR_WIDTH)/COLUMNS
LABEL_HEIGHT = S*(0.14 + 0.14*LABEL_LINES)  # above a panel's map
PANEL_HEIGHT = LABEL_HEIGHT + S*0.26 + (PAGE eq '3.4in' ? 1.0 : PAGE eq '6.6in' ? 1.1 : PAGE eq 'slide' ? 1.5 : 1.27)
BOTTOM_HEIGHT = S*0.3
TITLE_HEIGHT = S*(TITLE eq '' ? 0.1 : 0.4)
HEIGHT = ROWS*PANEL_HEIGHT + TITLE_HEIGHT + BOTTOM_HEIGHT
right_(inches) = (c*PANEL_WIDTH + inches)/WIDTH                              # from the panel's left edge
up(inches) = 1 - (TITLE_HEIGHT + (r + 1)*PANEL_HEIGHT - inches)/HEIGHT       # from its lower edge
# A sequential palette from dark blue to yellow whose lightness alone tells the order (after cividis).
set style fill solid 1 noborder          # the colour bar too
set palette defined (0 '#00204d', 0.25 '#39486b', 0.5 '#7b7b78', 0.75 '#bcae6c', 1 '#ffea46')
shade(v) = v > 0 ? (v < C_MIN ? log10(C_MIN) : v > 1 ? 0 : log10(v)) : NaN

do for [FORMAT in FORMATS] {
    eval terminal(FORMAT, WIDTH, HEIGHT)
    eval picture(FORMAT)
    set multiplot
    set cbrange [log10(C_MIN):0]
    set cbtics (power_label(1) 0)
    STRIDE = ceil(-log10(C_MIN)/8.)
    do for [k = 1:int(-log10(C_MIN))] { if (k % STRIDE == 0) { set cbtics add (power_label(10.0**-k) -k) } }
    unset key
    unset grid
    do for [p = 1:PANELS] {
        c = (p - 1) % COLUMNS
        r = (p - 1) / COLUMNS
        set lmargin at screen right_(S*0.62)
        set rmargin at screen right_(PANEL_WIDTH - S*0.15)
        set tmargin at screen up(PANEL_HEIGHT - LABEL_HEIGHT)
        set bmargin at screen up(S*0.26)
        half = 0.5*X_MAX[p]/(STEPS[p] - 1)/X_UNIT          # of a column
        set xrange [-half:X_END/X_UNIT + half]               # a run that broke off leaves the rest white
        set object 1 rectangle from graph 0, graph 0 to first X_MAX[p]/X_UNIT + half, graph 1 fillcolor rgb '#c8c8c8' fillstyle solid 1 noborder behind
        set yrange [-0.5:UNITS[p] - 0.5]
        set xtics X_STEP/X_UNIT
        set ytics UNITS[p] > 30 ? 18 : UNITS[p] > 12 ? 5 : 3
        if (p == 1) { set label 1 TITLE at screen 0.5, screen 1 - S*0.17/HEIGHT center } else { unset label 1 }
        set label 2 (p + COLUMNS > PANELS ? X_LABEL : '') at graph 0.5, screen up(-S*0.12) center
        set label 3 (c == 0 ? 'Unit' : '') at screen right_(S*0.12), graph 0.5 center rotate by 90
        set label 4 LABEL[p] at graph 0, screen up(PANEL_HEIGHT - S*0.12) left font SMALL_FONT
        if (p == 1) {
            set label 5 C_LABEL at screen 1 - S*0.12/WIDTH, screen 0.5*(1 - (TITLE_HEIGHT + LABEL_HEIGHT - S*0.26 - BOTTOM_HEIGHT)/HEIGHT) center rotate by 90
            set colorbox vertical user origin screen 1 - S*0.88/WIDTH, screen (S*0.26 + BOTTOM_HEIGHT)/HEIGHT size screen S*0.14/WIDTH, screen 1 - (TITLE_HEIGHT + LABEL_HEIGHT + S*0.26 + BOTTOM_HEIGHT)/HEIGHT
        } else {
            unset label 5
            unset colorbox
        }
        plot MAP[p] using (column('at')/X_UNIT):'unit':(shade(column('value'))) with image
    }
    unset multiplot
    set output
}
