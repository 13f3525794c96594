using System.Globalization;
using System.Text;
using System.Text.Json;

namespace QApollo.Reports.Runs;

/// <summary>One page with the curves, samples, options and environment of one run or of several beside each other.</summary>
public static class RunReportHtml
{
    /// <summary>Figure, its name in the metrics, and whether it scatters from step to step.</summary>
    private static readonly (string Title, string Series, bool Scatters)[] s_charts =
    [
        ("Loss, nats per token", "loss", true),
        ("Validation loss, nats per token", "validationLoss", false),
        ("Learning rate", "lr", false),
        ("Gradient norm", "gradientNorm", true),
        ("Tokens per second", "tokensPerSecond", true),
        ("Share of weights that changed", "changedShare", true),
        ("Codes changed, mean over layers", "codesChanged", false),
        ("Updates that changed nothing stored, mean over layers", "updatesLost", false),
        ("Rounding noise over update size, mean over layers", "noiseRatio", false),
        ("Groups regridded, mean over layers", "groupsRegridded", false),
        ("Updates that the limiter bound, mean over layers", "limited", false),
        ("Temperature of the card, °C", "temperature", false),
        ("Power of the card, watts", "power", true),
        ("Clock of the card's processors, MHz", "clock", true),
        ("Clock of the card's memory, MHz", "memoryClock", false),
    ];

    private const double JoulesPerWattHour = 3600;

    /// <summary>Drawn over its decades: a spike would flatten the rest.</summary>
    private const string Logarithmic = "gradientNorm";

    /// <param name="runs">At least one.</param>
    /// <param name="refreshSeconds">The page loads itself anew; 0: it does not.</param>
    public static string Of(IReadOnlyList<RunLog> runs, int refreshSeconds = 0)
    {
        var page = new HtmlPage();
        string title = runs.Count == 1 ? $"Run {runs[0].Name}" : $"{runs.Count} runs";
        page.Add(refreshSeconds > 0 ? string.Create(CultureInfo.InvariantCulture, $"<meta http-equiv=\"refresh\" content=\"{refreshSeconds}\">") : "");
        page.Add($"<h1>{HtmlPage.Escape(title)}</h1>");
        AddSummary(page, runs);
        AddCharts(page, runs);
        AddSamples(page, runs);
        AddTable(page, "Options", [.. runs.Select(run => run.Options)], runs);
        AddTable(page, "Environment of the newest session", [.. runs.Select(run => run.Sessions.Count > 0 ? run.Sessions[^1] : [])], runs);
        return page.ToString(title);
    }

    /// <summary>Whether a file is a page that this program wrote, and may be written anew; false for one that cannot be read.</summary>
    public static bool IsPage(string path) => HtmlPage.IsOne(path);

    private static void AddSummary(HtmlPage page, IReadOnlyList<RunLog> runs)
    {
        if (runs.Count == 1)
        {
            page.Tiles(Figures(runs[0]).Concat(Energy(runs[0])));
            return;
        }

        bool isMetered = runs.Any(run => run.JoulesPerToken is not null);
        page.Table(
            ["run", "steps", "tokens", "hours", "loss", "validation", "best validation", "tokens/s", "memory", .. isMetered ? (string[])["Wh/million tokens"] : []],
            runs.Select((run, index) => (string[])
            [
                $"<span class=\"name\"><span class=\"chip\" style=\"background:{Color(index)}\"></span>{HtmlPage.Escape(run.Name)}</span>", .. Figures(run).Select(figure => HtmlPage.Escape(figure.Value)),
                .. isMetered ? (string[])[PerMillion(run)] : [],
            ]),
            1, 2, 3, 4, 5, 6, 7, 8, 9);
    }

    private static IEnumerable<(string Value, string Label)> Figures(RunLog run)
    {
        IReadOnlyList<SeriesPoint> validations = Series(run, "validationLoss"), losses = Series(run, "loss"), speeds = Series(run, "tokensPerSecond");
        yield return (run.Steps.ToString("N0", CultureInfo.InvariantCulture), "steps");
        yield return (run.Tokens.ToString("N0", CultureInfo.InvariantCulture), "tokens");
        yield return (Number(run.Seconds / 3600), "hours of training");
        yield return (losses.Count > 0 ? Number(losses[^1].Mean) : "-", "loss, last");
        yield return (validations.Count > 0 ? Number(validations[^1].Mean) : "-", "validation loss, last");
        yield return (validations.Count > 0 ? Number(validations.Min(point => point.Minimum)) : "-", "validation loss, best");
        yield return (speeds.Count > 0 && run.Seconds > 0 ? (run.Tokens / run.Seconds).ToString("N0", CultureInfo.InvariantCulture) : "-", "tokens per second, mean");
        yield return (Memory(run), "memory of the device");
    }

    /// <summary>What the newest session noted: "7.52 GiB in one allocation".</summary>
    private static string Memory(RunLog run) =>
        (run.Sessions.Count > 0 ? run.Sessions[^1].FirstOrDefault(entry => entry.Name == "memory").Value : null)?.Split(" in ")[0] ?? "-";

    /// <summary>Where the card's sensors told it.</summary>
    private static IEnumerable<(string Value, string Label)> Energy(RunLog run)
    {
        if (run.JoulesPerToken is not null)
        {
            yield return (PerMillion(run), "Wh per million tokens, card");
            yield return ((run.Joules / JoulesPerWattHour / 1e3).ToString("0.###", CultureInfo.InvariantCulture), "kWh, card");
        }
    }

    private static string PerMillion(RunLog run) =>
        run.JoulesPerToken is { } joules ? (joules * 1e6 / JoulesPerWattHour).ToString("0.##", CultureInfo.InvariantCulture) : "-";

    private static void AddCharts(HtmlPage page, IReadOnlyList<RunLog> runs)
    {
        page.Add("""
            <div id="axis" role="group" aria-label="horizontal axis"><button data-x="0" class="on">steps</button><button data-x="1">tokens</button><button data-x="2">hours</button>
            <label><input type="checkbox" id="smooth" checked> smoothed</label></div>
            <noscript><p>The charts are drawn by a script, which this browser does not run.</p></noscript>
            """);
        foreach ((string title, string series, bool scatters) in s_charts.Where(chart => runs.Any(run => Series(run, chart.Series).Count > 0)))
        {
            page.Heading(title);
            page.Add($"<div class=\"curve\" data-series=\"{series}\" data-log=\"{(series == Logarithmic ? 1 : 0)}\" data-smooth=\"{(scatters ? 1 : 0)}\"></div>");
        }

        page.Add($"<script>const runs={Data(runs)};\n{Script}</script>");
    }

    /// <summary>The curves: [[step, tokens, hours, mean, minimum, maximum], ...]. The writer escapes what could end the script.</summary>
    private static string Data(IReadOnlyList<RunLog> runs)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartArray();
            for (int i = 0; i < runs.Count; i++)
            {
                json.WriteStartObject();
                json.WriteString("name", runs[i].Name);
                json.WriteString("color", Color(i));
                json.WriteStartObject("series");
                foreach ((string name, IReadOnlyList<SeriesPoint> points) in runs[i].Series)
                {
                    json.WriteStartArray(name);
                    foreach (SeriesPoint point in points)
                    {
                        json.WriteStartArray();
                        json.WriteNumberValue(point.Step);
                        json.WriteNumberValue(point.Tokens);
                        json.WriteNumberValue(Math.Round(point.Seconds / 3600, 6));
                        json.WriteNumberValue((float)point.Mean);
                        json.WriteNumberValue((float)point.Minimum);
                        json.WriteNumberValue((float)point.Maximum);
                        json.WriteEndArray();
                    }

                    json.WriteEndArray();
                }

                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void AddSamples(HtmlPage page, IReadOnlyList<RunLog> runs)
    {
        foreach (RunLog run in runs.Where(run => run.Samples.Count > 0))
        {
            page.Heading(runs.Count == 1 ? "Samples" : $"Samples of {run.Name}");
            foreach (LoggedSample sample in run.Samples.Reverse())
            {
                page.Add($"<p class=\"soft\">after step {sample.Step.ToString("N0", CultureInfo.InvariantCulture)}</p><pre>{HtmlPage.Escape(sample.Text)}</pre>");
            }
        }
    }

    /// <summary>Names and values, a column for each run; what differs between runs comes first, in bold.</summary>
    private static void AddTable(HtmlPage page, string heading, IReadOnlyList<IReadOnlyList<(string Name, string Value)>> columns, IReadOnlyList<RunLog> runs)
    {
        string[] names = [.. columns.SelectMany(column => column.Select(entry => entry.Name)).Distinct()];
        if (names.Length == 0)
        {
            return;
        }

        var rows = names
            .Select(name => (Name: name, Values: columns.Select(column => column.FirstOrDefault(entry => entry.Name == name).Value ?? "-").ToArray()))
            .Select(row => (row.Name, row.Values, Differs: row.Values.Distinct().Count() > 1))
            .OrderByDescending(row => row.Differs);
        page.Heading(heading);
        page.Table(
            ["", .. runs.Select(run => run.Name)],
            rows.Select(row => (string[])[Cell(row.Name, row.Differs), .. row.Values.Select(value => Cell(value, row.Differs))]));
    }

    private static string Cell(string text, bool isBold) => isBold ? $"<b>{HtmlPage.Escape(text)}</b>" : HtmlPage.Escape(text);

    private static IReadOnlyList<SeriesPoint> Series(RunLog run, string name) => run.Series.GetValueOrDefault(name, []);

    private static string Number(double value) => double.IsFinite(value) ? value.ToString("0.####", CultureInfo.InvariantCulture) : "-";

    /// <summary>Of a run among several: the first categories' that are told apart best.</summary>
    private static string Color(int run) => HtmlPage.Color(s_colors[run % s_colors.Length]);

    private static readonly int[] s_colors = [0, 5, 2, 4, 6, 10, 13, 8];

    private const string Script = """
        const H=240,L=56,R=12,T=10,B=28;let axis=0;
        const units=["step","tokens","hours"];
        const short=v=>{const a=Math.abs(v);return a>=1e9?+(v/1e9).toPrecision(4)+"G":a>=1e6?+(v/1e6).toPrecision(4)+"M":a>=1e4?+(v/1e3).toPrecision(4)+"k":a===0?"0":a<1e-3?v.toExponential(2):String(+v.toPrecision(5))};
        const ticks=(a,b,n)=>{const s=(b-a)/n||1,p=10**Math.floor(Math.log10(s)),m=s/p,d=(m>5?10:m>2?5:m>1?2:1)*p,r=[];for(let v=Math.ceil(a/d)*d;v<=b+d/1e6;v+=d)r.push(Math.abs(v)<d/1e6?0:v);return r};
        const smooth=p=>{let m=null;const k=Math.max(2,p.length/50);return p.map(q=>{m=m===null?q[3]:m+(q[3]-m)*2/(k+1);return m})};
        const el=(n,a,parent)=>{const e=document.createElementNS("http://www.w3.org/2000/svg",n);for(const k in a)e.setAttribute(k,a[k]);parent&&parent.appendChild(e);return e};
        function draw(chart){
          chart.textContent="";const W=Math.max(260,chart.clientWidth),name=chart.dataset.series,log=chart.dataset.log==="1",sm=chart.dataset.smooth==="1"&&box.checked;
          const lines=runs.map(r=>({name:r.name,color:r.color,p:(r.series[name]||[]).filter(q=>!log||q[4]>0)})).filter(r=>r.p.length);
          if(!lines.length)return;
          let x0=Infinity,x1=-Infinity,y0=Infinity,y1=-Infinity;
          for(const r of lines)for(const q of r.p){x0=Math.min(x0,q[axis]);x1=Math.max(x1,q[axis]);y0=Math.min(y0,q[4]);y1=Math.max(y1,q[5])}
          if(x0===x1)x1=x0+1;if(y0===y1){y0-=Math.abs(y0)/20||1;y1+=Math.abs(y1)/20||1}
          const f=log?Math.log10:v=>v,a=f(y0),b=f(y1),X=v=>L+(v-x0)/(x1-x0)*(W-L-R),Y=v=>T+(b-f(v))/(b-a)*(H-T-B);
          const svg=el("svg",{viewBox:`0 0 ${W} ${H}`,role:"img","aria-label":name});
          const marks=log?ticks(a,b,4).map(v=>10**v):ticks(y0,y1,5);
          for(const v of marks){el("line",{x1:L,x2:W-R,y1:Y(v),y2:Y(v),stroke:"var(--line)"},svg);el("text",{x:L-6,y:Y(v)+4,"text-anchor":"end"},svg).textContent=short(v)}
          for(const v of ticks(x0,x1,Math.max(5,W/110)))el("text",{x:X(v),y:H-8,"text-anchor":"middle"},svg).textContent=short(v);
          for(const r of lines){
            const path=g=>r.p.map((q,i)=>(i?"L":"M")+X(q[axis]).toFixed(1)+" "+Y(g(q,i)).toFixed(1)).join(""),many=r.p.length>20;
            if(r.p.some(q=>q[5]>q[4]))el("path",{d:path(q=>q[5])+r.p.slice().reverse().map(q=>"L"+X(q[axis]).toFixed(1)+" "+Y(q[4]).toFixed(1)).join("")+"Z",fill:r.color,opacity:.15},svg);
            const s=sm&&many?smooth(r.p):null;
            el("path",{d:path(q=>q[3]),fill:"none",stroke:r.color,"stroke-width":s?1:2,opacity:s?.35:1},svg);
            if(s)el("path",{d:path((q,i)=>s[i]),fill:"none",stroke:r.color,"stroke-width":2},svg);
            if(!many)for(const q of r.p)el("circle",{cx:X(q[axis]),cy:Y(q[3]),r:3,fill:r.color},svg);
          }
          const cursor=el("line",{y1:T,y2:H-B,stroke:"var(--soft)","stroke-dasharray":"3 3",visibility:"hidden"},svg);
          const tip=document.createElement("div");tip.className="tip soft";
          svg.addEventListener("pointermove",e=>{
            const r=svg.getBoundingClientRect(),x=x0+((e.clientX-r.left)/r.width*W-L)/(W-L-R)*(x1-x0);
            tip.textContent="";
            for(const l of lines){
              let n=l.p[0];for(const q of l.p)if(Math.abs(q[axis]-x)<Math.abs(n[axis]-x))n=q;
              cursor.setAttribute("x1",X(n[axis]));cursor.setAttribute("x2",X(n[axis]));cursor.setAttribute("visibility","visible");
              const s=document.createElement("span"),c=document.createElement("span");c.className="chip";c.style.background=l.color;s.appendChild(c);
              s.append(`${lines.length>1?l.name+": ":""}${units[axis]} ${short(n[axis])}, ${short(n[3])}${n[5]>n[4]?` (${short(n[4])} to ${short(n[5])})`:""}  `);tip.appendChild(s);
            }});
          svg.addEventListener("pointerleave",()=>{cursor.setAttribute("visibility","hidden");tip.textContent="\u00a0"});
          tip.textContent="\u00a0";chart.append(svg,tip);
        }
        const box=document.getElementById("smooth"),mark=()=>document.querySelectorAll("#axis button").forEach(b=>b.classList.toggle("on",+b.dataset.x===axis));
        // A page of a running run loads itself anew, and stays as its reader has set it; some browsers keep nothing for files.
        const keep=()=>{mark();try{sessionStorage.setItem("view",JSON.stringify([axis,box.checked]))}catch{}};
        try{const v=JSON.parse(sessionStorage.getItem("view"));if(v){axis=+v[0]||0;box.checked=!!v[1]}}catch{}mark();
        const all=()=>document.querySelectorAll(".curve").forEach(draw);
        document.querySelectorAll("#axis button").forEach(b=>b.addEventListener("click",()=>{axis=+b.dataset.x;keep();all()}));
        box.addEventListener("change",()=>{keep();all()});addEventListener("resize",all);all();
        """;
}
