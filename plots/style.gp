# style.gp - the look that all figures share: sizes, fonts, colours, line types.
# A figure's script sets its numbers and then loads this file.  "gnuplot NAME.gp" draws NAME.svg, NAME.pdf and
# NAME.png; FORMATS chooses others: gnuplot -e "FORMATS='pdf'" NAME.gp

if (!exists('FORMATS')) FORMATS = 'svg pdf png'      # also: dumb (text on the terminal)
if (!exists('TEXT_COLUMNS')) TEXT_COLUMNS = 100      # size of the dumb terminal
if (!exists('TEXT_ROWS')) TEXT_ROWS = 30
if (!exists('PAGE')) PAGE = 'free'                   # 3.4in, 6.6in, slide: what the picture is for
if (!exists('FONT_NAME')) FONT_NAME = 'Helvetica'    # any sans-serif takes its place where it is missing
POINTS = exists('FONT_SIZE') ? FONT_SIZE : PAGE eq '3.4in' || (PAGE eq '6.6in' && exists('PANELS')) ? 8 : PAGE eq 'slide' ? (exists('PANELS') ? 12 : 16) : 10
FONT = sprintf('%s,%g', FONT_NAME, POINTS)
SMALL = POINTS - (POINTS > 12 ? 2 : 1)
SMALL_FONT = sprintf('%s,%g', FONT_NAME, SMALL)
S = SMALL/9.0                                        # room for text, against that of 10 points
DPI = 200                                            # of the PNG
THICK = PAGE eq 'slide' ? 1.6 : 1                    # lines and points, against those of a page

# The legend: below, none, or a corner of the picture: top-left, top-right, bottom-left, bottom-right.
if (!exists('LEGEND')) LEGEND = 'below'
KEY_LOOK = sprintf("vertical Left reverse samplen 3 spacing 1.1 font '%s'", SMALL_FONT)
key_height(rows) = LEGEND eq 'below' ? S*(0.165*rows + 0.12) : 0.05          # inches
CORNER = (strstrt(LEGEND, 'top') ? 'top ' : 'bottom ').(strstrt(LEGEND, 'left') ? 'left' : 'right')
key(x, y, rows) = LEGEND eq 'none' ? 'unset key' : LEGEND eq 'below' ? \
    sprintf('set key at screen %g, screen %g left top maxrows %d ', x, y, rows).KEY_LOOK : \
    'set key inside opaque '.CORNER.' maxcols 1 '.KEY_LOOK
# gnuplot leaves out names of a key that is higher than its graph.  So what stands below a picture is drawn line by line,
# but for the terminal: name i of n, in so many rows, from so many inches on.
drawn(format) = LEGEND eq 'below' && format ne 'dumb'
name_x(i, n, rows, left) = left + (i - 1)/rows*(WIDTH - left)/((n + rows - 1)/rows)
name_y(i, rows) = (KEY_HEIGHT - S*(0.06 + 0.165*((i - 1) % rows + 0.5)))/HEIGHT
name(i, n, rows, left, title, style) = sprintf("set arrow %d from screen %g, screen %g to screen %g, screen %g nohead %s; set label %d %s at screen %g, screen %g left font '%s'", \
    1000 + i, name_x(i, n, rows, left)/WIDTH, name_y(i, rows), (name_x(i, n, rows, left) + 2.6*SMALL/72)/WIDTH, name_y(i, rows), style, \
    1000 + i, title, (name_x(i, n, rows, left) + 3.4*SMALL/72)/WIDTH, name_y(i, rows), SMALL_FONT)
name_point(i, n, rows, left, type, color) = sprintf("set label %d '' at screen %g, screen %g point pointtype %d pointsize 0.8 linecolor rgb '%s'", \
    2000 + i, (name_x(i, n, rows, left) + 1.3*SMALL/72)/WIDTH, name_y(i, rows), type, color)

set encoding utf8
set datafile separator comma columnheaders

# w, h in inches; font sizes are points in all three.  Text is never enhanced: names may hold _ ^ @ { }.
# (pango takes a point for 1/72 of 96 dots, hence the odd font scales.)
terminal_svg(w, h) = sprintf("set terminal svg noenhanced size %g,%g dynamic font '%s' fontscale %g linewidth %g dashlength 0.75 background rgb 'white'", \
    96*w, 96*h, FONT, 96/72., THICK*96/72.)
terminal_pdf(w, h) = sprintf("set terminal pdfcairo noenhanced color size %gin,%gin font '%s' fontscale 0.75 linewidth %g pointscale %g dashlength 0.75", \
    w, h, FONT, 2*THICK, THICK)
terminal_png(w, h) = sprintf("set terminal pngcairo noenhanced size %g,%g font '%s' fontscale %g linewidth %g pointscale %g dashlength 0.75", \
    DPI*w, DPI*h, FONT, DPI/96., THICK*DPI/72., THICK*DPI/72.)
terminal_dumb(w, h) = sprintf("set terminal dumb nofeed noenhanced size %g,%g", TEXT_COLUMNS, TEXT_ROWS)
terminal(format, w, h) = format eq 'svg' ? terminal_svg(w, h) : format eq 'pdf' ? terminal_pdf(w, h) : \
    format eq 'png' ? terminal_png(w, h) : terminal_dumb(w, h)
# A copy of a script draws under the name of the copy.
own_name(script) = strlen(script) > 3 && script[strlen(script)-2:*] eq '.gp' ? script[1:strlen(script)-3] : NAME
# skiplab gives OUTPUT_svg and its like, and writes the files itself once they are whole.
picture(format) = format eq 'dumb' ? "set output" : sprintf(exists('OUTPUT_'.format) ? "set output OUTPUT_%s" : "set output NAME.'.%s'", format)

# The palette of Okabe and Ito without its yellow, which is too pale for lines.  Style 0 is the baseline's and alone
# black; the others go through 6 colours and 7 dashes, which repeat together after 42.
COLORS = '#D55E00 #0072B2 #009E73 #E69F00 #CC79A7 #56B4E9'
color(style) = style == 0 ? '#000000' : word(COLORS, 1 + int(style - 1) % 6)
rgb(style) = int('0x'.substr(color(style), 2, 7))         # for 'linecolor rgb variable'
dash(style) = 1 + int(style) % 7
set linetype 1 dashtype solid
set linetype 2 dashtype (12,4)
set linetype 3 dashtype (3,3)
set linetype 4 dashtype (12,4,3,4)
set linetype 5 dashtype (6,3)
set linetype 6 dashtype (20,4,3,4,3,4)
set linetype 7 dashtype (24,6)

set border linewidth 0.6 linecolor rgb '#404040'
set tics scale 0.6,0.3 nomirror textcolor rgb 'black'
set grid linetype 1 linewidth 0.4 linecolor rgb '#dddddd'
set style fill transparent solid 0.18 noborder
set clip two                   # a line between two rows outside is drawn where it runs through the picture

# Parts of a plot command, '' where there is no file; X_UNIT iterations are 1 on the x axis; axes: x1y1 or x1y2.
# Lines: iteration (or images),seeds,median,low,high.  Bands: iteration,low,high, cut off at low..high of the axis, where the file
# has rows.  Zeros are lifted, so that a logarithmic axis shows a curve sinking out of the picture.
if (!exists('X_COLUMN')) X_COLUMN = 'iteration'
x = sprintf("(column('%s')/X_UNIT)", X_COLUMN)
positive(y) = y > 0 ? y : 1e-12
cut(y, low, high) = y < low ? low : y > high ? high : y
band(file, axes, style, low, high) = file eq '' ? '' : sprintf("'%s' using %s:(cut(column('low'), %g, %g)):(cut(column('high'), %g, %g)) axes %s with filledcurves linecolor rgb '%s' notitle, ", \
    file, x, low, high, low, high, axes, color(style))
line(file, axes, style, type, width) = file eq '' ? '' : single(file) ? dot(file, axes, style, type) \
    : sprintf("'%s' using %s:(positive(column('median'))) axes %s with lines %s linecolor rgb '%s' notitle, ", file, x, axes, look(type, width), color(style))
# A line of one row cannot be seen: a dot, in text a dash.  SINGLE: "|FILE|" of each such file.
if (!exists('SINGLE')) SINGLE = ''
single(file) = strstrt(SINGLE, '|'.file.'|') > 0
dot(file, axes, style, type) = FORMAT eq 'dumb' \
    ? sprintf("'%s' using (%s - 0.02*(X_MAX - X_MIN)/X_UNIT):'median':(0.02*(X_MAX - X_MIN)/X_UNIT):(0) axes %s with vectors nohead linetype %d notitle, ", file, x, axes, type) \
    : sprintf("'%s' using %s:'median' axes %s with points pointtype 7 pointsize 0.5 linecolor rgb '%s' notitle, ", file, x, axes, color(style))
colored(style, type, width) = sprintf("%s linecolor rgb '%s'", look(type, width), color(style))
look(type, width) = sprintf('linetype %d linewidth %g', type, width)
# Crosses where runs diverged or failed.  Columns: iteration,value.
crosses(file, axes, style) = file eq '' ? '' : sprintf("'%s' using %s:'value' axes %s with points pointtype 2 pointsize 0.7 linewidth 1.2 linecolor rgb '%s' notitle, ", \
    file, x, axes, color(style))
# A line of the legend; title: the name of a variable that holds its text, '' for none.
entry(title, style, type, width) = title eq '' ? '' : sprintf("keyentry with lines %s linecolor rgb '%s' title %s, ", look(type, width), color(style), title)

# The label of a tick; what is below a thousandth with a power of ten.
SUPERSCRIPTS = '⁰ ¹ ² ³ ⁴ ⁵ ⁶ ⁷ ⁸ ⁹'
digits_up(k) = (k >= 10 ? word(SUPERSCRIPTS, 1 + k/10) : '').word(SUPERSCRIPTS, 1 + k % 10)
exponent(v) = int(floor(log10(v) + 1e-9))
mantissa(v) = sprintf('%g', v/10.0**exponent(v))
power_label(v) = v <= 0 || v >= 0.001*(1 - 1e-9) ? sprintf('%g', v) : (mantissa(v) eq '1' ? '' : mantissa(v).'×').'10⁻'.digits_up(-exponent(v))

# The small ticks between the powers of ten of a logarithmic axis.
minor_tics(axis, low, high) = sprintf("do for [k = %d:%d] { do for [m = 2:9] { set %stics add ('' m*10.0**k 1) } }", \
    int(floor(log10(low))), int(floor(log10(high))), axis)
